"""Handlers that get, delete and search tasks; each poll advances a task."""

from __future__ import annotations

from aiomlcommons.api.common import Hits, WriteResult
from aiomlcommons.api.tasks import DeleteTask, GetTask, SearchTasks, TaskInfo
from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.emulator.errors import NO_TASK, missing
from aiomlcommons.emulator.models import batch_predict
from aiomlcommons.emulator.querying import records
from aiomlcommons.emulator.registry import handles


@handles(GetTask)
async def get(cluster: Cluster, request: GetTask) -> TaskInfo:
    """Return the task after it has advanced one step: CREATED, RUNNING, and its final state."""
    if job := cluster.jobs.get(request.task_id):
        await job.advance(cluster)
    task = _find(cluster, request.task_id)
    if batch_predict.is_batch_prediction(task):
        await batch_predict.look(cluster, request.task_id, task)
    return _find(cluster, request.task_id)


@handles(DeleteTask)
async def delete(cluster: Cluster, request: DeleteTask) -> WriteResult:
    """Delete the record only; the job continues when the model is polled."""
    _find(cluster, request.task_id)
    return cluster.tasks.delete(request.task_id)


@handles(SearchTasks)
async def find_all(cluster: Cluster, request: SearchTasks) -> Hits[TaskInfo]:
    """Search tasks; this advances none."""
    return records.search(cluster.tasks, request.body, cluster.node_id)


def _find(cluster: Cluster, task_id: str) -> TaskInfo:
    task = cluster.tasks.get(task_id)
    if task is None:
        raise missing(NO_TASK)
    return task
