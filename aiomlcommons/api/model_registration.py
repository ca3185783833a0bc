"""Registration of models: their metadata, and the upload of their files in chunks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import KW_ONLY
from typing import Any

from aiomlcommons.api import checks
from aiomlcommons.api.common import FUNCTIONS_SINCE, Access, FunctionName
from aiomlcommons.api.connectors import CreateConnector
from aiomlcommons.api.model_configs import ModelConfig, missing, newer
from aiomlcommons.api.model_records import (
    ChunkUploaded,
    DeploySetting,
    Format,
    Guardrails,
    MetaRegistered,
    ModelState,
    RateLimiter,
)
from aiomlcommons.api.tasks import TaskStarted
from aiomlcommons.endpoint import Request, endpoint
from aiomlcommons.record import as_body, in_query, mixin
from aiomlcommons.wire import features

CHUNK_SIZE = 10_000_000
"""The most bytes that one uploaded chunk may hold."""


@mixin
class ModelSpec:
    """The fields that all requests which register a model share."""

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
        yield from checks.own_id(self, "model_id")
        if self.model_config is not None:
            yield from missing(self.function_name, self.model_config)

    def newer_values(self) -> Iterator[tuple[str, str]]:
        function = str(self.function_name).upper()
        if function in FUNCTIONS_SINCE:
            yield f"a {function} model", FUNCTIONS_SINCE[function]
        if self.model_config is not None:
            yield from newer(self.model_config, getattr(self, "model_format", None))


@endpoint(
    "POST /_plugins/_ml/models/_register",
    since="2.7",
    # The server has routes for the last two, but rejects both: it never reads their path.
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
    """Register a pretrained model by name, a local one by URL, or a remote one by connector; returns a task.

    Not idempotent, so never retried automatically: after a lost response the model may be registered.

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
        yield from checks.at_most_one(self, "url", "connector_id", "connector")
        if self.url is not None:
            yield from checks.deployable_name(self.name, self.model_format)

    def newer_values(self) -> Iterator[tuple[str, str]]:
        yield from super().newer_values()
        if self.url is None and self.connector_id is None and self.connector is None:
            yield "a pretrained model by its name", "2.6"

    def features(self) -> Iterator[tuple[str, str]]:
        if self.url is not None:
            yield features.Feature.MODEL_URLS, "url"
        elif not self.connector_id and not self.connector and str(self.function_name).upper() != FunctionName.REMOTE:
            yield features.Feature.LOCAL_MODELS, self.name


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
    """Register the metadata of a model whose file is then uploaded in ``total_chunks`` chunks.

    ``model_content_hash_value`` is the SHA-256 of the whole file in hex.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/model-apis/register-model/
    """

    name: str
    _: KW_ONLY
    model_format: Format
    model_content_hash_value: str
    total_chunks: int
    model_state: ModelState | str | None = None

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        yield from checks.deployable_name(self.name, self.model_format)


@endpoint(
    "POST /_plugins/_ml/models/{model_id}/upload_chunk/{chunk_number}",
    since="2.7",
    was=["POST /_plugins/_ml/models/{model_id}/chunk/{chunk_number}"],
    repeatable=True,
)
class UploadModelChunk(Request[ChunkUploaded]):
    """Upload one chunk (numbered from 0) of at most 10,000,000 raw bytes.

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
