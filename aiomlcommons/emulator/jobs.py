"""Jobs of the cluster: they advance when they are looked at, so that nothing depends on a clock."""

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
    """A job's end without success; the words, if there are any, stand in the task's ``error``."""


Work = Callable[[], Awaitable[str | None]]
"""What a job does in the end: it returns the id of the model that it made, or raises JobFailed."""

Undo = Callable[[], None]
"""What is done when a job fails."""


@attrs.define
class Job:
    """A task that is not at its end. Each look shows the next state: CREATED, RUNNING, and then the work is done.

    The node knows the id of the model that it ``makes`` before the task's record does.
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
        """Go on to the next state."""
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
    """Note a task down; return its id."""
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
    asked: Request[Any],
    kind: TaskType,
    function: FunctionName | str,
    work: Work,
    *,
    undo: Undo | None = None,
    model_id: str | None = None,
    makes: str | None = None,
    **fields: Any,
) -> str:
    """Start a job; return the id of its task. A fault may make it fail or hang."""
    task_id = new_task(cluster, kind, function, model_id=model_id, **fields)
    fate = cluster.faults.fate(asked)
    counts_as = (function, ACTIONS[kind]) if kind in ACTIONS else None
    states = iter((TaskState.CREATED, TaskState.RUNNING))
    job = Job(task_id, work, states, counts_as, undo, makes)
    if fate is not None:
        job.hangs = fate.error is None
        words = fate.error or ""
        job.work = failing(node_error(cluster, words) if kind == TaskType.DEPLOY_MODEL else words)
    cluster.jobs[task_id] = job
    return task_id


def failing(error: str) -> Work:
    """Work that only fails, with these words."""

    async def work() -> str | None:
        raise JobFailed(error)

    return work


def node_error(cluster: Cluster, reason: str) -> str:
    """An error as tasks keep it: a JSON string, keyed by node."""
    return orjson.dumps({cluster.node_id: reason}).decode()
