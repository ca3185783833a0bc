"""Models: register, deploy, get, update, undeploy, delete."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import KW_ONLY
from typing import Any

from aiomlcommons.api import checks
from aiomlcommons.api.common import Hits, WriteResult
from aiomlcommons.api.connectors import CreateConnector
from aiomlcommons.api.model_configs import ModelConfig
from aiomlcommons.api.model_records import DeploySetting, Guardrails, Model, NodeUndeployed, RateLimiter
from aiomlcommons.api.model_registration import RegisterModel, RegisterModelMeta, UploadModelChunk
from aiomlcommons.api.predict import BatchPredict, PredictByModel, PredictStream
from aiomlcommons.api.search import searches
from aiomlcommons.api.tasks import TaskStarted
from aiomlcommons.endpoint import Request, endpoint
from aiomlcommons.namespace import Namespace, op
from aiomlcommons.record import as_body, in_query
from aiomlcommons.stream import streams


@endpoint("GET /_plugins/_ml/models/{model_id}", since="1.3")
class GetModel(Request[Model]):
    """Get a model. ``return_content`` adds the content of a trained model.

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
    """Update a model's name, access and options. ``connector`` and ``connector_id`` exclude each other.

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
        yield from checks.at_most_one(self, "connector_id", "connector")


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
    """Load a registered model onto the ML nodes; returns a task, to wait for with ``ml.task``.

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
    """Unload a model from the nodes; the response has the result of each node.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/model-apis/undeploy-model/
    """

    model_id: str
    _: KW_ONLY
    node_ids: Sequence[str] | None = None


@endpoint(
    "POST /_plugins/_ml/models/_undeploy", since="2.7", was=["POST /_plugins/_ml/models/_unload"], repeatable=True
)
class UndeployModels(Request[dict[str, NodeUndeployed]]):
    """Unload several models from all nodes, or from some nodes.

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
