"""Records of models, and responses to requests that change them."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import ClassVar, Literal, TypeAlias

import attrs

from aiomlcommons.api.common import FunctionName, User
from aiomlcommons.api.connectors import Connector
from aiomlcommons.api.model_configs import ModelConfig
from aiomlcommons.record import Record, record


class ModelState(StrEnum):
    """State of a model. UPLOADING to LOAD_FAILED are the names of servers before 2.7."""

    TRAINED = "TRAINED"
    REGISTERING = "REGISTERING"
    REGISTERED = "REGISTERED"
    DEPLOYING = "DEPLOYING"
    DEPLOYED = "DEPLOYED"
    PARTIALLY_DEPLOYED = "PARTIALLY_DEPLOYED"
    UNDEPLOYED = "UNDEPLOYED"
    DEPLOY_FAILED = "DEPLOY_FAILED"
    UPLOADING = "UPLOADING"
    UPLOADED = "UPLOADED"
    LOADING = "LOADING"
    LOADED = "LOADED"
    PARTIALLY_LOADED = "PARTIALLY_LOADED"
    UNLOADED = "UNLOADED"
    LOAD_FAILED = "LOAD_FAILED"


# Each state by its new and its old name.
DEPLOYING = frozenset({ModelState.DEPLOYING, ModelState.LOADING})
DEPLOYED = frozenset({ModelState.DEPLOYED, ModelState.LOADED})
PARTIALLY_DEPLOYED = frozenset({ModelState.PARTIALLY_DEPLOYED, ModelState.PARTIALLY_LOADED})


class ModelFormat(StrEnum):
    """File format of a local model."""

    TORCH_SCRIPT = "TORCH_SCRIPT"
    ONNX = "ONNX"


Format: TypeAlias = ModelFormat | Literal["TORCH_SCRIPT", "ONNX"]


@record
class RateLimiter(Record):
    """A rate limit: ``limit`` requests per ``unit``; responses have the number as text."""

    limit: str | int | float
    unit: Literal["NANOSECONDS", "MICROSECONDS", "MILLISECONDS", "SECONDS", "MINUTES", "HOURS", "DAYS"]


@record
class DeploySetting(Record):
    """Automatic deployment by the first prediction, and undeployment after idle ``model_ttl_minutes``."""

    is_auto_deploy_enabled: bool | None = None
    model_ttl_minutes: int | None = None


@record
class StopWords(Record):
    """Stop words of a guardrail, stored in fields of an index."""

    index_name: str | None = None
    source_fields: list[str] | None = None


@record
class Guardrail(Record):
    """Guardrail of a model's input or output: stop words and patterns, or a model's verdict."""

    stop_words: list[StopWords] | None = None
    regex: list[str] | None = None
    model_id: str | None = None
    response_filter: str | None = None
    response_validation_regex: str | None = None


@record
class Guardrails(Record):
    """Guardrails of a remote model's input and output; ``type`` is ``local_regex`` or ``model``."""

    type: str | None = None
    input_guardrail: Guardrail | None = None
    output_guardrail: Guardrail | None = None


@record
class Model(Record):
    """A model. Times are epoch milliseconds; the fields that only old servers have come last."""

    _first: ClassVar = (
        "name",
        "algorithm",
        "model_state",
        "model_version",
        "current_worker_node_count",
        "planning_worker_node_count",
        "model_group_id",
    )

    name: str | None = None
    model_group_id: str | None = None
    algorithm: FunctionName | str | None = None
    model_version: str | None = None
    description: str | None = None
    model_format: ModelFormat | str | None = None
    model_state: ModelState | str | None = None
    model_content_size_in_bytes: int | None = None
    model_content_hash_value: str | None = None
    model_config: ModelConfig | None = None
    deploy_setting: DeploySetting | None = None
    is_enabled: bool | None = None
    is_controller_enabled: bool | None = None
    rate_limiter: RateLimiter | None = None
    created_time: int | None = None
    last_updated_time: int | None = None
    last_registered_time: int | None = None
    last_deployed_time: int | None = None
    last_undeployed_time: int | None = None
    model_id: str | None = None
    auto_redeploy_retry_times: int | None = None
    chunk_number: int | None = None
    total_chunks: int | None = None
    planning_worker_node_count: int | None = None
    current_worker_node_count: int | None = None
    planning_worker_nodes: list[str] | None = None
    deploy_to_all_nodes: bool | None = None
    is_hidden: bool | None = None
    connector: Connector | None = None
    connector_id: str | None = None
    guardrails: Guardrails | None = None
    interface: Mapping[str, str] | None = None
    user: User | None = None
    tenant_id: str | None = None
    provisioned_by: str | None = None
    model_content: str | None = attrs.field(default=None, repr=False)
    content: str | None = attrs.field(default=None, repr=False)
    version: int | None = None
    function_name: FunctionName | str | None = None
    last_uploaded_time: int | None = None
    last_loaded_time: int | None = None
    last_unloaded_time: int | None = None

    @property
    def is_deployed(self) -> bool:
        """Whether the model is deployed on all of its planned nodes."""
        return self.model_state in DEPLOYED


@record
class MetaRegistered(Record):
    """The id of a model whose file is yet to be uploaded in chunks."""

    model_id: str
    status: str


@record
class ChunkUploaded(Record):
    """The response to uploading a chunk: ``status`` is ``Uploaded``."""

    status: str


@record
class NodeUndeployed(Record):
    """A node's result for each model: ``undeployed`` or ``not_found`` (``unloaded`` before 2.7)."""

    stats: Mapping[str, str] | None = None
