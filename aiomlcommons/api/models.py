"""Models: register, deploy, look up, change, undeploy, delete."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import KW_ONLY
from typing import Any

from aiomlcommons import rules
from aiomlcommons.api.common import Access, FunctionName, Hits, WriteResult
from aiomlcommons.api.connectors import CreateConnector
from aiomlcommons.api.model_configs import (
    FrameworkType,
    ModelConfig,
    PoolingMode,
    QuestionAnsweringModelConfig,
    TextEmbeddingModelConfig,
    missing,
)
from aiomlcommons.api.model_records import (
    ChunkUploaded,
    DeploySetting,
    Format,
    Guardrail,
    Guardrails,
    MetaRegistered,
    Model,
    ModelFormat,
    ModelState,
    NodeUndeployed,
    RateLimiter,
    StopWords,
)
from aiomlcommons.api.predict import BatchPredict, PredictByModel, PredictStream
from aiomlcommons.api.search import searches
from aiomlcommons.api.tasks import TaskStarted
from aiomlcommons.endpoint import Request, as_body, endpoint, in_query, mixin
from aiomlcommons.namespace import Namespace, op
from aiomlcommons.stream import streams

__all__ = [
    "CHUNK_SIZE",
    "ChunkUploaded",
    "DeleteModel",
    "DeployModel",
    "DeploySetting",
    "Format",
    "FrameworkType",
    "GetModel",
    "Guardrail",
    "Guardrails",
    "MetaRegistered",
    "Model",
    "ModelConfig",
    "ModelFormat",
    "ModelSpec",
    "ModelState",
    "Models",
    "NodeUndeployed",
    "PoolingMode",
    "QuestionAnsweringModelConfig",
    "RateLimiter",
    "RegisterModel",
    "RegisterModelMeta",
    "SearchModels",
    "StopWords",
    "TextEmbeddingModelConfig",
    "UndeployModel",
    "UndeployModels",
    "UpdateModel",
    "UploadModelChunk",
]

CHUNK_SIZE = 10_000_000
"""The most bytes that one uploaded chunk may hold."""


@mixin
class ModelSpec:
    """What a model can be told when it is registered, whichever way its file comes."""

    version: str | None = None
    description: str | None = None
    # The server reads keys in order and needs function_name before it can understand model_config.
    function_name: FunctionName | str | None = None
    model_group_id: str | None = None
    model_content_size_in_bytes: int | None = None
    model_config: ModelConfig | None = None
    is_enabled: bool | None = None
    rate_limiter: RateLimiter | None = None
    deploy_setting: DeploySetting | None = None
    interface: Mapping[str, Any] | None = None
    access_mode: Access | None = None
    backend_roles: Sequence[str] | None = None
    add_all_backend_roles: bool | None = None
    does_version_create_model_group: bool | None = None
    is_hidden: bool | None = None
    model_id: str | None = None

    def problems(self) -> Iterator[str]:
        yield from rules.own_id(self, "model_id")
        if self.model_config is not None:
            yield from missing(self.function_name, self.model_config)


@endpoint(
    "POST /_plugins/_ml/models/_register",
    since="2.7",
    # The server lists the last two, and refuses both: it never reads their path.
    was=[
        "POST /_plugins/_ml/models/_upload",
        "POST /_plugins/_ml/models/{model_id}/{version}/_upload",
        "POST /_plugins/_ml/models/{model_id}/{version}/_register",
    ],
    newer={
        "2.8": ("model_group_id", "model_content_hash_value"),
        "2.9": ("connector", "connector_id", "backend_roles", "add_all_backend_roles", "access_mode"),
        "2.11": ("does_version_create_model_group",),
        "2.12": ("is_enabled", "rate_limiter", "is_hidden"),
        "2.13": ("deploy_setting", "guardrails"),
        "2.14": ("interface",),
        "2.19": ("tenant_id",),
        "3.7": ("provisioned_by",),
        "3.9": ("model_id",),
    },
)
class RegisterModel(ModelSpec, Request[TaskStarted]):
    """Register a pretrained model by name, a local one by URL, or a remote one by connector. Follow the task.

    It is never repeated by itself: a lost answer may hide a model that was registered.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/model-apis/register-model/
    """

    name: str
    _: KW_ONLY
    model_format: Format | None = None
    model_content_hash_value: str | None = None
    url: str | None = None
    connector_id: str | None = None
    connector: CreateConnector | None = None
    guardrails: Guardrails | None = None
    model_node_ids: Sequence[str] | None = None
    tenant_id: str | None = None
    provisioned_by: str | None = None
    deploy: bool | None = in_query(default=None)

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        yield from rules.at_most_one(self, "url", "connector_id", "connector")


@endpoint(
    "POST /_plugins/_ml/models/_register_meta",
    since="2.7",
    was=["POST /_plugins/_ml/models/meta"],
    newer={
        "2.8": ("model_group_id",),
        "2.9": ("backend_roles", "add_all_backend_roles", "access_mode"),
        "2.11": ("does_version_create_model_group",),
        "2.12": ("is_enabled", "rate_limiter", "is_hidden"),
        "2.13": ("deploy_setting",),
        "2.14": ("interface",),
        "3.9": ("model_id",),
    },
)
class RegisterModelMeta(ModelSpec, Request[MetaRegistered]):
    """Announce a model whose file is then uploaded in ``total_chunks`` chunks.

    ``model_content_hash_value`` is the SHA-256 of the whole file in hex.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/model-apis/register-model/
    """

    name: str
    _: KW_ONLY
    model_format: Format
    model_content_hash_value: str
    total_chunks: int
    model_state: ModelState | str | None = None


@endpoint(
    "POST /_plugins/_ml/models/{model_id}/upload_chunk/{chunk_number}",
    since="2.7",
    was=["POST /_plugins/_ml/models/{model_id}/chunk/{chunk_number}"],
    repeatable=True,
)
class UploadModelChunk(Request[ChunkUploaded]):
    """Upload one chunk (numbers begin at 0) of at most 10,000,000 raw bytes.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/model-apis/register-model/
    """

    model_id: str
    chunk_number: int
    content: bytes = as_body()

    def problems(self) -> Iterator[str]:
        if len(self.content) > CHUNK_SIZE:
            yield f"content has {len(self.content):,} bytes; a chunk holds at most {CHUNK_SIZE:,}"
        if self.chunk_number < 0:
            yield f"chunk_number begins at 0, not {self.chunk_number}"


@endpoint("GET /_plugins/_ml/models/{model_id}", since="1.3")
class GetModel(Request[Model]):
    """Look a model up. ``return_content`` adds the content of a trained model.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/model-apis/get-model/
    """

    model_id: str
    _: KW_ONLY
    return_content: bool | None = in_query(default=None)


@endpoint(
    "PUT /_plugins/_ml/models/{model_id}",
    since="2.12",
    needs_body=True,
    newer={"2.13": ("deploy_setting", "guardrails"), "2.14": ("interface",), "2.19": ("tenant_id",)},
)
class UpdateModel(Request[WriteResult]):
    """Change what a model is called, who may use it and how. ``connector`` and ``connector_id`` exclude each other.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/model-apis/update-model/
    """

    model_id: str
    _: KW_ONLY
    name: str | None = None
    description: str | None = None
    model_group_id: str | None = None
    is_enabled: bool | None = None
    rate_limiter: RateLimiter | None = None
    model_config: ModelConfig | None = None
    deploy_setting: DeploySetting | None = None
    connector_id: str | None = None
    connector: CreateConnector | None = None
    guardrails: Guardrails | None = None
    interface: Mapping[str, Any] | None = None
    tenant_id: str | None = None

    def problems(self) -> Iterator[str]:
        yield from rules.at_most_one(self, "connector_id", "connector")


@endpoint("DELETE /_plugins/_ml/models/{model_id}", since="1.3")
class DeleteModel(Request[WriteResult]):
    """Delete a model that is not deployed, with its chunks.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/model-apis/delete-model/
    """

    model_id: str


@endpoint("POST /_plugins/_ml/models/_search", since="1.3", also=["GET /_plugins/_ml/models/_search"], repeatable=True)
class SearchModels(Request[Hits[Model]]):
    """Search the models with a query DSL body. ``ml.models.search`` leaves out the chunks of model files, which are
    documents of the same index.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/model-apis/search-model/
    """

    body: Mapping[str, Any] = as_body(factory=dict)


@endpoint(
    "POST /_plugins/_ml/models/{model_id}/_deploy",
    since="2.7",
    was=["POST /_plugins/_ml/models/{model_id}/_load"],
    repeatable=True,
)
class DeployModel(Request[TaskStarted]):
    """Load a registered model onto the ML nodes. Follow the task.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/model-apis/deploy-model/
    """

    model_id: str
    _: KW_ONLY
    node_ids: Sequence[str] | None = None


@endpoint(
    "POST /_plugins/_ml/models/{model_id}/_undeploy",
    since="2.7",
    was=["POST /_plugins/_ml/models/{model_id}/_unload"],
    repeatable=True,
)
class UndeployModel(Request[dict[str, NodeUndeployed]]):
    """Take a model off the nodes; the answer tells for each node.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/model-apis/undeploy-model/
    """

    model_id: str
    _: KW_ONLY
    node_ids: Sequence[str] | None = None


@endpoint(
    "POST /_plugins/_ml/models/_undeploy", since="2.7", was=["POST /_plugins/_ml/models/_unload"], repeatable=True
)
class UndeployModels(Request[dict[str, NodeUndeployed]]):
    """Take several models off the nodes, or off some nodes.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/model-apis/undeploy-model/
    """

    model_ids: Sequence[str] | None = None
    _: KW_ONLY
    node_ids: Sequence[str] | None = None


class Models(Namespace):
    """``ml.models``: register, deploy, predict, undeploy, delete."""

    register = op(RegisterModel)
    register_meta = op(RegisterModelMeta)
    upload_chunk = op(UploadModelChunk)
    get = op(GetModel)
    update = op(UpdateModel)
    delete = op(DeleteModel)
    search = searches(SearchModels, leave_out="chunk_number")
    deploy = op(DeployModel)
    undeploy = op(UndeployModel)
    undeploy_many = op(UndeployModels)
    predict = op(PredictByModel)
    predict_stream = streams(PredictStream)
    batch_predict = op(BatchPredict)
