"""Batch predictions: jobs at the provider of a remote model, which is polled whenever the task is polled."""

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

# In this order: the first state whose pattern matches the provider's status.
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
    """Start a batch job at the provider; its response is stored in the task."""
    _check_enabled(cluster)
    model = model_store.find(cluster, request.model_id)
    if model.algorithm != FunctionName.REMOTE:
        raise refused(501, "not_emulated", "the emulator predicts offline with remote models only")
    remote.check_allowed(cluster)
    _check_room(cluster)
    predict.check_deployed(cluster, request.model_id, model)
    with cluster.counts.counted(model.algorithm, "batch_predict", request.model_id):
        reply = await _ask(cluster, request.model_id, ActionType.BATCH_PREDICT, request.parameters or {})
    job = {**reply, "dlq": request.dlq}
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
    """Poll the provider and update the task; raise Refused where that fails."""
    _check_enabled(cluster)
    reply = await _ask(cluster, task.model_id or "", ActionType.BATCH_PREDICT_STATUS, _job_parameters(task))
    job = {**(task.remote_job or {}), **reply}
    fields = cluster.settings.value("remote_job.status_field")
    known = [state for field in fields if field in job and (state := _state(cluster, str(job[field])))]
    changes: dict[str, Any] = {"state": known[-1]} if known else {}
    cluster.tasks.change(task_id, last_update_time=cluster.now(), remote_job=job, **changes)


def is_batch_prediction(task: TaskInfo) -> bool:
    """Return whether a task is a batch job of a provider."""
    return task.task_type == TaskType.BATCH_PREDICTION


@handles(CancelTask)
async def cancel(cluster: Cluster, request: CancelTask) -> Cancelled:
    """Cancel the job at the provider; the task changes when it is polled."""
    task = cluster.tasks.get(request.task_id)
    if task is None:
        raise missing("Fail to find task")
    if not is_batch_prediction(task):
        raise illegal("The task ID you provided does not have any associated batch job")
    _check_enabled(cluster)
    await _ask(cluster, task.model_id or "", ActionType.CANCEL_BATCH_PREDICT, _job_parameters(task))
    return Cancelled(status="OK")


async def _ask(cluster: Cluster, model_id: str, kind: ActionType, given: Mapping[str, Any]) -> Mapping[str, Any]:
    model: Model = model_store.find(cluster, model_id, "Failed to retrieve the ML model for the given task ID")
    if kind != ActionType.BATCH_PREDICT:
        _check_follows(cluster, model)
    answer = await remote.ask(cluster, model_id, model, kind, given)
    reply: Mapping[str, Any] | None = answer["output"][0].get("dataAsMap")
    if reply is None:
        raise refused(404, "resource_not_found_exception", "Unable to create batch transform job")
    return reply


def _check_follows(cluster: Cluster, model: Model) -> None:
    """Raise Refused as servers do that cannot poll a provider: the job's requests do not get the server's settings."""
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


def _job_parameters(task: TaskInfo) -> dict[str, str]:
    """Return what the provider reported about the job as parameters: strings only."""
    return {key: value for key, value in (task.remote_job or {}).items() if isinstance(value, str)}


def _state(cluster: Cluster, status: str) -> TaskState | None:
    patterns = {name: cluster.settings.value(f"remote_job.status_regex.{name}") for name in _STATES}
    found = (state for name, state in _STATES.items() if re.search(patterns[name], status, re.IGNORECASE))
    return next(found, None)


def _check_enabled(cluster: Cluster) -> None:
    if not cluster.settings.flag("offline_batch_inference_enabled"):
        raise refused(500, "illegal_state_exception", errors.NO_OFFLINE)


def _check_room(cluster: Cluster) -> None:
    tasks = (document.source for document in cluster.tasks.documents.values())
    under_way = sum(is_batch_prediction(task) and task.state not in _ENDED for task in tasks)
    if under_way >= int(cluster.settings.value("max_batch_inference_tasks")):
        raise refused(429, "m_l_limit_exceeded_exception", errors.TOO_MANY_OFFLINE)
