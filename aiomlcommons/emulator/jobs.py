"""Background jobs, which advance when their tasks are polled, so that tests do not depend on time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import attrs
import orjson

from aiomlcommons.api.common import FunctionName
from aiomlcommons.api.tasks import TaskInfo, TaskState, TaskType
from aiomlcommons.emulator.cluster import Cluster, alter
from aiomlcommons.emulator.counting import ACTIONS
from aiomlcommons.endpoint import Request


class JobFailed(Exception):
    """Raised by a job that fails; the message, if any, becomes the task's ``error``."""


Work = Callable[[], Awaitable[str | None]]
"""The work of a job: it returns the id of the model that it made, if any, or raises JobFailed."""

Undo = Callable[[], None]
"""The cleanup after a job has failed."""


@attrs.define
class Job:
    """A running task. Each poll shows the next state: CREATED, RUNNING, and then the work is done.

    The node knows the id of the model that the job ``makes`` before the task's record does.
    """

    task_id: str
    work: Work
    states: Iterator[TaskState]
    counts_as: tuple[str, str] | None = None
    undo: Undo | None = None
    makes: str | None = None
    hangs: bool = False
    at_work: bool = False

    async def advance(self, cluster: Cluster) -> None:
        """Advance to the next state."""
        if self.at_work:
            return
        state = next(self.states, None)
        if state is not None:
            self._show(cluster, state=state)
        elif not self.hangs:
            await self._finish(cluster)

    async def _finish(self, cluster: Cluster) -> None:
        self.at_work = True
        try:
            changes: dict[str, Any] = {"state": TaskState.COMPLETED}
            if model_id := await self.work():
                changes["model_id"] = model_id
        except JobFailed as failure:
            changes = {"state": TaskState.FAILED, "error": str(failure) or None}
            if self.counts_as is not None:
                cluster.counts.failed(*self.counts_as)
            if self.undo is not None:
                self.undo()
        finally:
            self.at_work = False
        cluster.jobs.pop(self.task_id, None)
        self._show(cluster, **changes)

    def _show(self, cluster: Cluster, **changes: Any) -> None:
        task = cluster.tasks.get(self.task_id)
        if task is not None and any(getattr(task, name) != value for name, value in changes.items()):
            cluster.tasks.change(self.task_id, last_update_time=cluster.now(), **changes)


def new_task(
    cluster: Cluster, kind: TaskType, function: FunctionName | str, *, model_id: str | None = None, **fields: Any
) -> str:
    """Store a new task and return its id."""
    now, task_id = cluster.now(), cluster.new_id()
    task = TaskInfo(
        task_type=kind,
        state=TaskState.CREATED,
        model_id=model_id,
        function_name=function,
        worker_node=[cluster.node_id],
        create_time=now,
        last_update_time=now,
        is_async=True,
    )
    cluster.tasks.put(task_id, alter(task, **fields))
    if kind in ACTIONS:
        cluster.counts.begun(function, ACTIONS[kind], model_id)
    return task_id


def start(
    cluster: Cluster,
    request: Request[Any],
    kind: TaskType,
    function: FunctionName | str,
    work: Work,
    *,
    undo: Undo | None = None,
    model_id: str | None = None,
    makes: str | None = None,
    **fields: Any,
) -> str:
    """Start a job and return the id of its task. A fault may make it fail or hang."""
    task_id = new_task(cluster, kind, function, model_id=model_id, **fields)
    outcome = cluster.faults.task_outcome(request)
    counts_as = (function, ACTIONS[kind]) if kind in ACTIONS else None
    states = iter((TaskState.CREATED, TaskState.RUNNING))
    job = Job(task_id, work, states, counts_as, undo, makes)
    if outcome is not None:
        job.hangs = outcome.error is None
        reason = outcome.error or ""
        job.work = failing(node_error(cluster, reason) if kind == TaskType.DEPLOY_MODEL else reason)
    cluster.jobs[task_id] = job
    return task_id


def failing(error: str) -> Work:
    """Return work that fails with this error."""

    async def work() -> str | None:
        raise JobFailed(error)

    return work


def node_error(cluster: Cluster, reason: str) -> str:
    """Return an error in the format of a task: a JSON object keyed by node id."""
    return orjson.dumps({cluster.node_id: reason}).decode()
