"""Error responses of the server, with its original messages."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

NOT_READY = "Model not ready yet. Please deploy the model first."
NO_MODEL = "Failed to find model"
NO_TASK = "Failed to find task"
NO_NODE = "no eligible node found"
DUPLICATE_DEPLOY = "Duplicate deploy model task"
TOO_MANY_TASKS = "exceed max running task limit"
NO_INTERNET = "artifacts.opensearch.org"
FAILED_DEPLOY = "Failed to deploy model"
CONTENT_CHANGED = "model content changed"
TOO_MANY_MODELS = "Exceed max local model per node limit"
NOT_PRETRAINED = "This model is not in the pre-trained model list, please check your parameters."
NO_ACCESS_CONTROL = (
    "You cannot specify model access control parameters because the Security plugin or model access control is "
    "disabled on your cluster."
)
NO_URL = (
    "To upload custom model user needs to enable allow_registering_model_via_url settings. "
    "Otherwise please use OpenSearch pre-trained models."
)
NO_CONFIG = "model config is null"
UNTRUSTED_URL = "URL can't match trusted url regex"
NO_HASH = "Model content Hash code need to be provided when register via url. Please calculate sha 256 Hash code."
NO_LOCAL_FILE = (
    "To upload custom model from local file, user needs to enable allow_registering_model_via_local_file settings. "
    "Otherwise please use OpenSearch pre-trained models."
)
NO_REMOTE = (
    "Remote Inference is currently disabled. To enable it, update the setting "
    '"plugins.ml_commons.remote_inference_enabled" to true.'
)
NO_LOCAL = (
    "Local Model is currently disabled. To enable it, update the setting "
    '"plugins.ml_commons.local_model.enabled" to true.'
)
NO_OFFLINE = (
    "Offline Batch Inference is currently disabled. To enable it, update the setting "
    '"plugins.ml_commons.offline_batch_inference_enabled" to true.'
)
NO_ENDPOINTS = (
    "Trusted connector endpoints regex is not configured. Please set "
    "plugins.ml_commons.trusted_connector_endpoints_regex."
)
TOO_MANY_OFFLINE = (
    "Exceeded maximum limit for BATCH_PREDICTION tasks. To increase the limit, update the "
    "plugins.ml_commons.max_batch_inference_tasks setting."
)
NAME_TAKEN = "The name you provided is already being used by a model group with ID: {id}."
GROUP_IN_USE = "Cannot delete the model group when it has associated model versions"
NOT_CLEANED = "Model is not all cleaned up, please try again. Model ID: {id}"
CHUNKS_LEFT = "Failed to delete all model chunks, Bulk failure while deleting model of {id}"
DELETE_DEPLOYED = "Model cannot be deleted in deploying or deployed state. Try undeploy model first then delete"
THROTTLED_MODEL = "Request is throttled at model level."
THROTTLED_USER = "Request is throttled at user level. If you think there's an issue, please contact your cluster admin."
THROTTLED_PROVIDER = (
    "Error from remote service: The request was denied due to remote server throttling. "
    "To change the retry policy and behavior, please update the connector client_config."
)
NO_CONTROLLER = "Failed to find model controller with the provided model ID"
NO_CONTROLLER_YET = (
    "Model controller haven't been created for the model. Consider calling create model controller api instead."
)
NO_MODEL_TO_CONTROL = "Failed to find model to create the corresponding model controller with the provided model ID"
CONTROLLER_WHILE_DEPLOYING = (
    "Creating a model controller during its corresponding model in DEPLOYING state is not allowed, "
    "please either create the model controller after it is deployed or before deploying it."
)
CONTROLLER_DISABLED = (
    "Controller is currently disabled. To enable it, update the setting "
    '"plugins.ml_commons.controller_enabled" to true.'
)
NO_INSIGHT = (
    "Index insight feature is not enabled yet. To enable, please update the setting "
    "plugins.ml_commons.index_insight_feature_enabled"
)
NO_CONVERSATIONS = (
    "The Conversation Memory feature is not enabled. To enable, please update the setting "
    "plugins.ml_commons.memory_feature_enabled"
)
EMPTY_MESSAGE = (
    "At least one of the following parameters must be non-empty: "
    "input, prompt_template, response, origin, additional_info"
)
NO_AGENTIC_MEMORY = (
    "The Agentic Memory APIs are not enabled. To enable, please update the setting "
    "plugins.ml_commons.agentic_memory_enabled"
)
NO_CONTAINER = "Failed to find memory container with the provided memory container id: {id}"
SHARED_PREFIX = (
    "Cannot delete memory indices as multiple containers share the index prefix '{prefix}'. "
    "Please delete the container without index deletion, or use delete_by_query API for data cleanup."
)
STRATEGY_MODELS = (
    "Strategies require both an LLM model and embedding model to be configured. Missing: {missing}. "
    "Strategies use LLM for fact extraction and embedding model for semantic search."
)
NO_LLM = "infer=true requires llm_model_id to be configured in memory storage"
NO_EMBEDDING = (
    "This memory container does not have an embedding model configured. {kind} search requires a memory container "
    "with an embedding model (TEXT_EMBEDDING or SPARSE_ENCODING). Please update the memory container configuration "
    "to add an embedding model."
)
NO_DELETE_QUERY = (
    "Query parameter is required for delete by query operation. To delete all documents, explicitly provide a "
    'match_all query: {"query": {"match_all": {}}}'
)
RESULT_WINDOW = (
    "Result window is too large, from + size must be less than or equal to: [10000] but was [{size}]. See the scroll "
    "api for a more efficient way to request large data sets. This limit can be set by changing the "
    "[index.max_result_window] index level setting."
)
NO_AGENTS = (
    "Agent Framework is currently disabled. To enable it, update the setting "
    '"plugins.ml_commons.agent_framework_enabled" to true.'
)
NO_UNIFIED_AGENTS = (
    "Unified agent API is not enabled. To enable, please update the setting "
    "plugins.ml_commons.unified_agent_api_enabled"
)
NO_STREAMS = (
    'Streaming is currently disabled. To enable it, update the setting "plugins.ml_commons.stream_enabled" to true.'
)
NO_AG_UI = (
    "The AG-UI agent feature is not enabled. To enable, please update the setting plugins.ml_commons.ag_ui_enabled"
)
NO_TOOLS = (
    "The Execute Tool API is not enabled. To enable, please update the setting plugins.ml_commons.execute_tools_enabled"
)
NO_SEARCH_TEMPLATES = (
    "The agentic search template APIs are not enabled. To enable, please update the setting "
    "plugins.ml_commons.agentic_search_template_enabled"
)
NO_MCP_SERVER = (
    "The MCP server is not enabled. To enable, please update the setting plugins.ml_commons.mcp_server_enabled"
)
NO_MCP_CONNECTORS = (
    "The MCP connector is not enabled. To enable, please update the setting plugins.ml_commons.mcp_connector_enabled"
)
HEAP_FULL = "Memory Circuit Breaker is open, please check your resources!"
DISK_FULL = "Disk Circuit Breaker is open, please check your resources!"
SHARD = "0"
"""The only shard of every index."""


class Refused(Exception):
    """An error response, status 400 or above; ``body`` is its body."""

    def __init__(self, status: int, body: Any, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(body)
        self.status, self.body, self.headers = status, body, headers or {}


def refused(status: int, kind: str, reason: str, caused_by: Mapping[str, Any] | None = None, **more: Any) -> Refused:
    """Return an error in the usual format; ``more`` are keys beside type and reason."""
    cause = {"type": kind, "reason": reason, **more}
    error = {"root_cause": [cause], **cause, **({"caused_by": caused_by} if caused_by else {})}
    return Refused(status, {"error": error, "status": status})


class Conflict(Refused):
    """409: another request wrote the document in between; ``reason`` is the error of a task."""

    @property
    def reason(self) -> str:
        return str(self.body["error"]["root_cause"][0]["reason"])


class ProviderFailed(Refused):
    """A failure of a provider, which streams report differently from an error of the server."""


def version_conflict(index: str, index_uuid: str, key: str, wanted: int, found: int | None, term: int = 1) -> Conflict:
    """Return the error of a write with an outdated sequence number (optimistic concurrency)."""
    now = f". current document has seqNo [{found}] and primary term [1]"
    rest = now if found is not None else ". but no document was found"
    reason = f"[{key}]: version conflict, required seqNo [{wanted}], primary term [{term}]{rest}"
    kind = "version_conflict_engine_exception"
    error = refused(409, kind, reason, index=index, shard=SHARD, index_uuid=index_uuid)
    return Conflict(409, error.body)


def update_conflict(error: Conflict, key: str) -> Conflict:
    """Return the same conflict as the server's metadata client reports it."""
    (cause,) = error.body["error"]["root_cause"]
    reason = f"Document version conflict updating {key} in index {cause['index']}"
    body = {"root_cause": [cause], "type": "status_exception", "reason": reason, "caused_by": cause}
    return Conflict(409, {"error": body, "status": 409})


def circuit_broken(wanted: int = 2_082_304_048, limit: int = 2_040_109_465) -> Refused:
    """Return 429: the memory circuit breaker of the node is open for now."""
    would, most = (f"[{size}/{math.floor(size / 2**30 * 10) / 10}gb]" for size in (wanted, limit))
    reason = (
        f"[parent] Data too large, data for [<http_request>] would be {would}, which is larger than the limit of "
        f"{most}, real usage: {would}, new bytes reserved: [0/0b], "
        "usages [request=0/0b, fielddata=0/0b, in_flight_requests=0/0b]"
    )
    more: dict[str, Any] = {"bytes_wanted": wanted, "bytes_limit": limit, "durability": "TRANSIENT"}
    return refused(429, "circuit_breaking_exception", reason, **more)


def breaker_open(message: str) -> Refused:
    """Return 429: a circuit breaker of ML Commons is open."""
    more: dict[str, Any] = {"bytes_wanted": 0, "bytes_limit": 0, "durability": "TRANSIENT"}
    return refused(429, "circuit_breaking_exception", message, **more)


def plain(status: int, message: str, *, with_status: bool = True) -> Refused:
    """Return an error whose body is only a message: no handler, a wrong method or content type."""
    return Refused(status, {"error": message, "status": status} if with_status else {"error": message})


def illegal(reason: str) -> Refused:
    """Return 400: an illegal argument."""
    return refused(400, "illegal_argument_exception", reason)


def no_index(name: str, kind: str = "index_or_alias") -> Refused:
    """Return 404: the index does not exist."""
    where: dict[str, Any] = {"resource.id": name, "resource.type": kind, "index_uuid": "_na_"}
    return refused(404, "index_not_found_exception", f"no such index [{name}]", index=name, **where)


def missing(reason: str) -> Refused:
    """Return 404: the resource does not exist."""
    return refused(404, "status_exception", reason)


def status_error(status: int, reason: str) -> Refused:
    """Return an error of any status and the general type."""
    return refused(status, "status_exception", reason)


@contextmanager
def execution() -> Iterator[None]:
    """Convert errors raised in the block to the format of agent and tool executions."""
    try:
        yield
    except Refused as error:
        raise _of_execution(error) from error


def _of_execution(error: Refused) -> Refused:
    cause = error.body["error"]
    if error.status == 501:
        return error  # an error of the emulator, not of a server
    kind = "".join(word.capitalize() for word in cause["type"].split("_"))
    kind = {"StatusException": "OpenSearchStatusException", "Exception": "OpenSearchException"}.get(kind, kind)
    reason = "Invalid Request" if error.status == 400 else "System Error"
    body = {"type": kind, "reason": reason, "details": cause["reason"]}
    return Refused(error.status, {"status": error.status, "error": body})
