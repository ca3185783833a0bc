"""Offline predictions: jobs of a model's provider, which is asked whenever the emulator is asked for the task."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from aiomlcommons.api.common import FunctionName
from aiomlcommons.api.connectors import ActionType
from aiomlcommons.api.model_records import Model
from aiomlcommons.api.predict import BatchPredict
from aiomlcommons.api.tasks import Cancelled, CancelTask, TaskInfo, TaskState, TaskType
from aiomlcommons.emulator import errors, jobs
from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.emulator.connectors import remote
from aiomlcommons.emulator.errors import illegal, missing, refused
from aiomlcommons.emulator.models import model_store, predict
from aiomlcommons.emulator.registry import Plain, handles

# In this order: the first of them whose pattern is found in the provider's word is the state.
_STATES = {
    "cancelling": TaskState.CANCELLING,
    "cancelled": TaskState.CANCELLED,
    "completed": TaskState.COMPLETED,
    "expired": TaskState.EXPIRED,
    "failed": TaskState.FAILED,
}
_ENDED = {TaskState.CANCELLED, TaskState.COMPLETED, TaskState.EXPIRED, TaskState.FAILED}


@handles(BatchPredict)
async def start(cluster: Cluster, request: BatchPredict) -> Plain:
    """Have the provider begin; its answer is what the task keeps of the job."""
    _check_enabled(cluster)
    model = model_store.find(cluster, request.model_id)
    if model.algorithm != FunctionName.REMOTE:
        raise refused(501, "not_emulated", "the emulator predicts offline with remote models only")
    remote.check_allowed(cluster)
    _check_room(cluster)
    predict.check_deployed(cluster, request.model_id, model)
    with cluster.counts.counted(model.algorithm, "batch_predict", request.model_id):
        said = await _ask(cluster, request.model_id, ActionType.BATCH_PREDICT, request.parameters or {})
    job = {**said, "dlq": request.dlq}
    task_id = jobs.new_task(
        cluster,
        TaskType.BATCH_PREDICTION,
        FunctionName.REMOTE,
        model_id=request.model_id,
        state=TaskState.RUNNING,
        input_type="REMOTE",
        is_async=False,
        remote_job=job,
    )
    return Plain({"task_id": task_id, "status": "CREATED", "remote_job": job})


async def look(cluster: Cluster, task_id: str, task: TaskInfo) -> None:
    """Note down how far the provider is. Raises Refused where it does not say."""
    _check_enabled(cluster)
    said = await _ask(cluster, task.model_id or "", ActionType.BATCH_PREDICT_STATUS, _words(task))
    job = {**(task.remote_job or {}), **said}
    fields = cluster.settings.value("remote_job.status_field")
    known = [state for field in fields if field in job and (state := _state(cluster, str(job[field])))]
    changes: dict[str, Any] = {"state": known[-1]} if known else {}
    cluster.tasks.change(task_id, last_update_time=cluster.now(), remote_job=job, **changes)


def is_offline(task: TaskInfo) -> bool:
    """Whether it is a job of a provider."""
    return task.task_type == TaskType.BATCH_PREDICTION


@handles(CancelTask)
async def cancel(cluster: Cluster, request: CancelTask) -> Cancelled:
    """Have the provider stop; the task changes when it is looked at."""
    task = cluster.tasks.get(request.task_id)
    if task is None:
        raise missing("Fail to find task")
    if not is_offline(task):
        raise illegal("The task ID you provided does not have any associated batch job")
    _check_enabled(cluster)
    await _ask(cluster, task.model_id or "", ActionType.CANCEL_BATCH_PREDICT, _words(task))
    return Cancelled(status="OK")


async def _ask(cluster: Cluster, model_id: str, kind: ActionType, given: Mapping[str, Any]) -> Mapping[str, Any]:
    model: Model = model_store.find(cluster, model_id, "Failed to retrieve the ML model for the given task ID")
    if kind != ActionType.BATCH_PREDICT:
        _check_follows(cluster, model)
    answer = await remote.ask(cluster, model_id, model, kind, given)
    said: Mapping[str, Any] | None = answer["output"][0].get("dataAsMap")
    if said is None:
        raise refused(404, "resource_not_found_exception", "Unable to create batch transform job")
    return said


def _check_follows(cluster: Cluster, model: Model) -> None:
    """Raises Refused as a server that does not hand its settings on to where a provider is asked about its job."""
    if cluster.follows_batches:
        return
    if not cluster.is_before("3.7"):
        raise illegal(errors.NO_ENDPOINTS)
    private = remote.private_host(cluster, model, ActionType.BATCH_PREDICT)
    if private is not None:
        cause = {
            "type": "illegal_argument_exception",
            "reason": f"Remote inference host name has private ip address: {private}",
        }
        raise refused(400, cause["type"], cause["reason"], cause)


def _words(task: TaskInfo) -> dict[str, str]:
    """What the provider said of the job, as parameters: only text is handed on."""
    return {key: value for key, value in (task.remote_job or {}).items() if isinstance(value, str)}


def _state(cluster: Cluster, word: str) -> TaskState | None:
    patterns = {name: cluster.settings.value(f"remote_job.status_regex.{name}") for name in _STATES}
    found = (state for name, state in _STATES.items() if re.search(patterns[name], word, re.IGNORECASE))
    return next(found, None)


def _check_enabled(cluster: Cluster) -> None:
    if not cluster.settings.flag("offline_batch_inference_enabled"):
        raise refused(500, "illegal_state_exception", errors.NO_OFFLINE)


def _check_room(cluster: Cluster) -> None:
    tasks = (document.source for document in cluster.tasks.documents.values())
    under_way = sum(is_offline(task) and task.state not in _ENDED for task in tasks)
    if under_way >= int(cluster.settings.value("max_batch_inference_tasks")):
        raise refused(429, "m_l_limit_exceeded_exception", errors.TOO_MANY_OFFLINE)
