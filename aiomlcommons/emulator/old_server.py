"""How a server before 2.7 says what later ones say in other words, other fields and other errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiomlcommons.api.common import WriteResult
from aiomlcommons.api.model_records import Model, NodeUndeployed
from aiomlcommons.api.predict import Predict, PredictByModel
from aiomlcommons.api.stats import Profile
from aiomlcommons.api.tasks import TaskInfo, TaskStarted
from aiomlcommons.emulator.errors import NO_MODEL, NO_TASK, NOT_READY, Refused, refused
from aiomlcommons.emulator.registry import Plain
from aiomlcommons.endpoint import Request
from aiomlcommons.wire import convert

WORDS = {
    "REGISTERING": "UPLOADING",
    "REGISTERED": "UPLOADED",
    "DEPLOYING": "LOADING",
    "DEPLOYED": "LOADED",
    "PARTIALLY_DEPLOYED": "PARTIALLY_LOADED",
    "UNDEPLOYED": "UNLOADED",
    "DEPLOY_FAILED": "LOAD_FAILED",
    "REGISTER_MODEL": "UPLOAD_MODEL",
    "DEPLOY_MODEL": "LOAD_MODEL",
    "undeployed": "unloaded",
}
RENAMED = {
    "last_registered_time": "last_uploaded_time",
    "last_deployed_time": "last_loaded_time",
    "last_undeployed_time": "last_unloaded_time",
}
LATER = {
    "model_group_id",
    "last_updated_time",
    "auto_redeploy_retry_times",
    "planning_worker_node_count",
    "planning_worker_nodes",
    "current_worker_node_count",
    "deploy_to_all_nodes",
    "is_hidden",
}
PROFILED_LATER = {"target_worker_nodes", "memory_size_estimation_cpu", "memory_size_estimation_gpu"}
_OF_ITS_OWN = (Model, TaskInfo, TaskStarted, WriteResult)
_MISSING = "m_l_resource_not_found_exception"
_REASONS = {
    NO_MODEL: (_MISSING, "Fail to find model"),
    NO_TASK: (_MISSING, "Fail to find task"),
    NOT_READY: ("m_l_exception", "model not loaded"),
}


def record(source: Mapping[str, Any]) -> dict[str, Any]:
    """A model or a task, by its wire names."""
    known = {RENAMED.get(key, key): value for key, value in source.items() if key not in LATER}
    for key in known.keys() & {"model_state", "task_type"}:
        known[key] = WORDS.get(known[key], known[key])
    if isinstance(nodes := known.get("worker_node"), list):
        known["worker_node"] = ",".join(nodes)
    return known


def answer(given: Any) -> Any:
    """An answer as an old server gives it."""
    if isinstance(given, _OF_ITS_OWN):
        data = record(convert.unstructure(given))
        if isinstance(given, TaskStarted):
            data.pop("task_type", None)  # a load does not say that it is one
        return Plain(data)
    if isinstance(given, Profile):
        return Plain(_profile(convert.unstructure(given)))
    if isinstance(given, dict) and all(isinstance(node, NodeUndeployed) for node in given.values()):
        stats = {name: {key: WORDS.get(word, word) for key, word in node.stats.items()} for name, node in given.items()}
        return Plain({name: {"stats": words} for name, words in stats.items()})
    return given


def _profile(data: dict[str, Any]) -> dict[str, Any]:
    for node in data.get("nodes", {}).values():
        models = {key: _without(record(model), PROFILED_LATER) for key, model in node.get("models", {}).items()}
        node |= {"models": models} if models else {}
    return data


def _without(data: Mapping[str, Any], names: set[str]) -> dict[str, Any]:
    return {key: value for key, value in data.items() if key not in names}


def refusal(request: Request[Any], error: Refused) -> Refused:
    """A refusal as an old server says it: what is missing, and what is not loaded, is its own fault."""
    cause = error.body["error"] if isinstance(error.body, dict) else None
    reason = cause["reason"] if isinstance(cause, dict) else ""
    if isinstance(request, Predict | PredictByModel) and reason == NO_MODEL:
        reason = NOT_READY  # it looks at what is loaded alone
    for words, (kind, old) in _REASONS.items():
        if reason.startswith(words):
            return refused(500, kind, old)
    return error


def no_index(name: str) -> Refused:
    """A search in an index that nothing was written to."""
    resource = {"resource.id": name, "resource.type": "index_or_alias"}
    about: dict[str, Any] = {"index": name, **resource, "index_uuid": "_na_"}
    return refused(404, "index_not_found_exception", f"no such index [{name}]", **about)
