"""Servers before 2.7: the names, fields and errors in which they differ from later ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiomlcommons.api.common import WriteResult
from aiomlcommons.api.model_records import Model, NodeUndeployed
from aiomlcommons.api.predict import Predict, PredictByModel
from aiomlcommons.api.stats import Profile
from aiomlcommons.api.tasks import TaskInfo, TaskStarted
from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.emulator.errors import DUPLICATE_DEPLOY, NO_MODEL, NO_TASK, NOT_READY, Conflict, Refused, refused
from aiomlcommons.emulator.registry import Plain
from aiomlcommons.endpoint import Request
from aiomlcommons.wire import convert

OLD_NAMES = {
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
OLD_FIELDS = {
    "last_registered_time": "last_uploaded_time",
    "last_deployed_time": "last_loaded_time",
    "last_undeployed_time": "last_unloaded_time",
}
NEWER_FIELDS = {
    "model_group_id",
    "last_updated_time",
    "auto_redeploy_retry_times",
    "planning_worker_node_count",
    "planning_worker_nodes",
    "current_worker_node_count",
    "deploy_to_all_nodes",
    "is_hidden",
}
NEWER_PROFILE_FIELDS = {"target_worker_nodes", "memory_size_estimation_cpu", "memory_size_estimation_gpu"}
_RECORDS = (Model, TaskInfo, TaskStarted, WriteResult)
_MISSING = "m_l_resource_not_found_exception"
_REASONS = {
    NO_MODEL: (_MISSING, "Fail to find model"),
    NO_TASK: (_MISSING, "Fail to find task"),
    NOT_READY: ("m_l_exception", "model not loaded"),
}


def record(source: Mapping[str, Any]) -> dict[str, Any]:
    """Return a model or a task (wire data) with the names and fields of an old server."""
    known = {OLD_FIELDS.get(key, key): value for key, value in source.items() if key not in NEWER_FIELDS}
    for key in known.keys() & {"model_state", "task_type"}:
        known[key] = OLD_NAMES.get(known[key], known[key])
    if isinstance(nodes := known.get("worker_node"), list):
        known["worker_node"] = ",".join(nodes)
    return known


def answer(given: Any) -> Any:
    """Return a response as an old server gives it."""
    if isinstance(given, _RECORDS):
        data = record(convert.unstructure(given))
        if isinstance(given, TaskStarted):
            data.pop("task_type", None)  # old servers leave it out of the response to a load
        return Plain(data)
    if isinstance(given, Profile):
        return Plain(_profile(convert.unstructure(given)))
    if isinstance(given, dict) and all(isinstance(node, NodeUndeployed) for node in given.values()):
        stats = {
            name: {key: OLD_NAMES.get(word, word) for key, word in node.stats.items()} for name, node in given.items()
        }
        return Plain({name: {"stats": states} for name, states in stats.items()})
    return given


def _profile(data: dict[str, Any]) -> dict[str, Any]:
    for node in data.get("nodes", {}).values():
        models = {key: _without(record(model), NEWER_PROFILE_FIELDS) for key, model in node.get("models", {}).items()}
        node |= {"models": models} if models else {}
    return data


def _without(data: Mapping[str, Any], names: set[str]) -> dict[str, Any]:
    return {key: value for key, value in data.items() if key not in names}


def refusal(request: Request[Any], error: Refused) -> Refused:
    """Return an error as an old server gives it: a missing resource or an unloaded model is status 500."""
    cause = error.body["error"] if isinstance(error.body, dict) else None
    reason = cause["reason"] if isinstance(cause, dict) else ""
    if isinstance(request, Predict | PredictByModel) and reason == NO_MODEL:
        reason = NOT_READY  # it looks for loaded models only
    for start, (kind, old) in _REASONS.items():
        if reason.startswith(start):
            return refused(500, kind, old)
    return error


# ---- the errors of tasks ---------------------------------------------------------------------------------------------

_THROWN = "java.lang.IllegalArgumentException: Duplicate model task"
_WHERE = "org.opensearch.ml.model.MLModelCacheHelper.initModelState(MLModelCacheHelper.java:45)"


def task_conflict(error: Conflict) -> str:
    """Return the error in a task of 2.4 after another request wrote the model's record."""
    (cause,) = error.body["error"]["root_cause"]
    name, why = cause["index"], f"VersionConflictEngineException[{error.reason}]"
    where = f"[{name}/{cause['index_uuid']}][[{name}][0]]"
    remote = f"RemoteTransportException[[emulator][127.0.0.1:9300][indices:data/write/update[s]]]; nested: {why}"
    return f"{remote};\nCaused by: {where} {why}\n"


def node_error(cluster: Cluster, problem: str) -> str:
    """Return the error in a task of 2.4 whose model is not loaded: a Java map with a stack trace, or a message."""
    return f"{{{cluster.node_id}={_THROWN}\n\tat {_WHERE}\n}}" if problem == DUPLICATE_DEPLOY else problem
