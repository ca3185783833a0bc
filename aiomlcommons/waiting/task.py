"""Polling of the server's tasks with exponential backoff, stall detection and tolerance of restarts."""

from __future__ import annotations

import inspect
import math
from collections.abc import AsyncIterator, Generator
from typing import Any, Protocol

import anyio
import attrs

from aiomlcommons.api.tasks import CancelTask, GetTask, SearchTasks, TaskInfo, TaskState, TaskType
from aiomlcommons.endpoint import Sends
from aiomlcommons.errors import InvalidRequest, MLCommonsError, ServerError
from aiomlcommons.namespace import HasSession
from aiomlcommons.net.backoff import Backoff
from aiomlcommons.net.event_words import told_if_cancelled
from aiomlcommons.progress.event import Callback, Phase, Progress
from aiomlcommons.progress.telling import telling
from aiomlcommons.tracing.spans import Span, work
from aiomlcommons.trouble.kinds import Kind
from aiomlcommons.trouble.parsed_error import parse_error
from aiomlcommons.trouble.table import trouble_of
from aiomlcommons.typed import typed
from aiomlcommons.usage import refuses
from aiomlcommons.waiting.absence import Absence
from aiomlcommons.waiting.errors import TaskFailed, TaskStalled

ENDED = frozenset(
    {
        TaskState.COMPLETED,
        TaskState.COMPLETED_WITH_ERROR,
        TaskState.FAILED,
        TaskState.CANCELLED,
        TaskState.EXPIRED,
    }
)
SUCCEEDED = frozenset({TaskState.COMPLETED, TaskState.COMPLETED_WITH_ERROR})
ON_NODES = {TaskType.REGISTER_MODEL, TaskType.UPLOAD_MODEL, TaskType.DEPLOY_MODEL, TaskType.LOAD_MODEL}
"""Types of tasks that nodes list in their profile while they run them."""
LAG = 10.0
"""Seconds that a record may lag behind the actual state of the nodes (eventual consistency)."""
RESTART = 120.0
"""Seconds that a server may be unavailable while it is restarted or its shards recover, before polling fails."""


@refuses("async with", "with", "for", write="`await ml.task(...)` for its end, or `async for info in ml.task(...)`")
@attrs.frozen
class Task:
    """A handle of a task on the server: ``await`` it for its end, ``async for`` it for each change of state.

    Cancelling the wait stops the polling, not the task. For a deadline, use ``anyio.fail_after(60)``.
    """

    task_id: str
    _session: Sends = attrs.field(repr=False)
    _backoff: Backoff = attrs.field(default=Backoff(), repr=False)
    _stall_timeout: float = attrs.field(default=600.0, repr=False)
    _is_known: bool = attrs.field(default=False, alias="is_known", repr=False)
    _progress: bool | Callback = attrs.field(default=False, repr=False)

    def __await__(self) -> Generator[Any, Any, TaskInfo]:
        """Wait until the task ends, and return its final state.

        A task that is COMPLETED_WITH_ERROR succeeded on some nodes; ``node_errors`` has the errors of the others.
        Raises TaskFailed if it failed, was cancelled or expired, TaskStalled if it makes no progress.
        """
        return self._end().__await__()

    async def cancel(self) -> TaskInfo:
        """Cancel a remote batch prediction, and return the task's current state (``remote_job`` is the provider's).

        It may be CANCELLING for a while; awaiting the task then raises TaskFailed with the state CANCELLED. Raises
        BadRequest for any other task, because the server cannot cancel it.
        """
        await self._session.send(CancelTask(self.task_id))
        return await self._session.send(GetTask(self.task_id))

    def __aiter__(self) -> AsyncIterator[TaskInfo]:
        """Poll the task, and yield each state that differs from the one before; the last one is final, failures too.

        Raises InvalidRequest with ``progress``, which is for ``await``.
        """
        if self._progress is not False:
            raise InvalidRequest("progress= is for `await ml.task(...)`: `async for` yields each change itself")
        return self._states()

    async def _states(self) -> AsyncIterator[TaskInfo]:
        last: TaskInfo | None = None
        progressed = seen = anyio.current_time()
        absence = Absence()
        delays = iter(self._backoff)
        with told_if_cancelled(lambda: f"the wait for {_named(self.task_id, last)}"):
            while last is None or last.state not in ENDED:
                if last is not None:
                    await anyio.sleep(next(delays))
                info = await self._poll(last, anyio.current_time() - seen)
                if info is None:
                    continue
                seen = anyio.current_time()
                unchanged = seen - progressed
                changed = _is_changed(info, last)
                if changed or _is_remote(info):
                    progressed, absence = anyio.current_time(), Absence()
                elif unchanged >= self._stall_timeout or (
                    unchanged >= LAG and absence.lasts(await self._is_on_no_node(info), seen, LAG)
                ):
                    raise TaskStalled(self.task_id, info, unchanged)
                last = info
                if changed:
                    yield info

    async def _poll(self, last: TaskInfo | None, unseen: float) -> TaskInfo | None:
        """Return the task, or None on a transient error of the server, or of the provider of a remote job."""
        try:
            return await self._session.send(GetTask(self.task_id))
        except MLCommonsError as error:
            remote = last is not None and _is_remote(last)
            passes = error.transient or (remote and isinstance(error, ServerError))
            longest = min(self._stall_timeout, math.inf if remote else RESTART)
            if not (passes and (last or self._is_known)):
                raise
            if unseen >= longest:
                error.add_note(f"for {unseen:.0f} s nothing was heard of {_named(self.task_id, last)}")
                raise
            return None

    async def _is_on_no_node(self, info: TaskInfo) -> bool:
        """Return whether no node works on the task: after a restart its record stays RUNNING forever."""
        if info.task_type not in ON_NODES:
            return False
        try:
            from aiomlcommons.api.stats import GetTaskProfiles  # the many classes of statistics are seldom needed

            profile = await self._session.send(GetTaskProfiles(self.task_id))
        except MLCommonsError:
            return False
        return not any(self.task_id in (node.tasks or {}) for node in (profile.nodes or {}).values())

    async def _end(self) -> TaskInfo:
        with work("task", {"aiomlcommons.task.id": self.task_id}) as span:
            return await self._followed(span)

    async def _followed(self, span: Span) -> TaskInfo:
        info = TaskInfo()
        async with telling(self._progress, self._event(info)) as tell:
            async for info in self._states():
                tell(self._event(info))
            span.put({"aiomlcommons.task.type": info.task_type, "aiomlcommons.task.state": info.state})
            if (is_duplicate(info) or _is_partly(info)) and (other := await self._winner_over(info)):
                return await other
            if info.state in SUCCEEDED:
                return info
            raise TaskFailed(self.task_id, info)

    def _event(self, info: TaskInfo) -> Progress:
        name = f"{info.task_type} {self.task_id}" if info.task_type else self.task_id
        return Progress(phase=Phase.TASK, name=name, model_id=info.model_id, words=str(info.state or ""))

    async def _winner_over(self, info: TaskInfo) -> Task | None:
        """Return the deployment that this one is a duplicate of: the newest other that is no duplicate itself."""
        body = {
            "query": {"bool": {"filter": [{"term": {"model_id": info.model_id}}]}},
            "sort": [{"create_time": "desc"}],
            "size": 20,
        }
        # Searches see a task only after the index refresh, a second after it was written, so this may take some polls.
        looks = 4 if _is_partly(info) else 8
        for _, delay in zip(range(looks), self._backoff, strict=False):
            found = await self._session.send(SearchTasks(body))
            for hit in found:
                if hit.id == self.task_id or not hit.has_source or not _was_under_way(hit.source, info):
                    continue
                if _is_partly(info) and _is_partly(hit.source):
                    return None  # each is the other's duplicate, on different nodes
                return attrs.evolve(self, task_id=hit.id)
            await anyio.sleep(delay)
        return None


def _named(task_id: str, info: TaskInfo | None) -> str:
    if info is None:
        return f"task {task_id}, of which nothing is known yet"
    return f"{info.task_type or 'task'} {task_id}, which is {info.state}"


def is_duplicate(info: TaskInfo) -> bool:
    """Return whether a deployment failed only because another one of the same model was under way."""
    return info.state == TaskState.FAILED and _is_race(info.error) and _is_deployment(info)


def _is_partly(info: TaskInfo) -> bool:
    """Return whether a deployment succeeded but on nodes where another one of the same model was under way."""
    errors = info.node_errors.values()
    succeeded = info.state == TaskState.COMPLETED_WITH_ERROR and bool(errors)
    return succeeded and all(map(_is_race, errors)) and _is_deployment(info)


def _is_race(error: str | None) -> bool:
    return trouble_of(parse_error(0, error)).kind is Kind.RACE


def _is_deployment(info: TaskInfo) -> bool:
    return info.model_id is not None and info.task_type in {TaskType.DEPLOY_MODEL, TaskType.LOAD_MODEL}


def _is_remote(info: TaskInfo) -> bool:
    """Return whether a provider runs the task: it may be unchanged for hours, so each response counts as progress."""
    return info.task_type == TaskType.BATCH_PREDICTION


def _is_changed(info: TaskInfo, last: TaskInfo | None) -> bool:
    if last is None or not _is_remote(info):
        return info != last
    # Polling itself changes last_update_time, which is no progress.
    return (info.state, info.remote_job, info.error) != (last.state, last.remote_job, last.error)


def _was_under_way(other: TaskInfo, info: TaskInfo) -> bool:
    if other.task_type != info.task_type or is_duplicate(other):
        return False
    # Ours is a duplicate only of a deployment that was under way when it began, not of one that ended before.
    return other.state not in ENDED or (other.last_update_time or 0) >= (info.create_time or 0)


class Started(Protocol):
    """Any response that has the id of the task that it started."""

    @property
    def task_id(self) -> str: ...


class Waits(HasSession):
    """Mixin of the session with ``task``, which waits for tasks."""

    @typed(own="task progress")
    def task(
        self,
        task: str | Started,
        *,
        backoff: Backoff = Backoff(),
        stall_timeout: float = 600.0,
        progress: bool | Callback = False,
    ) -> Task:
        """Wait for a job on the server, by its id or by the response that started it: ``await ml.task(started)``.

        A restart of the server is waited out. A deployment that failed only because another one of the same model was
        under way is followed to the other. A remote batch prediction may take hours and never stalls: errors of its
        provider are waited out. Each poll calls the provider; use ``backoff=Backoff(cap=60)``.

        Args:
            task: The id of a task, or a response that has a ``task_id``.
            backoff: The delays between polls: 0.1 s at first, up to 10 s.
            stall_timeout: Seconds without a change (or, for a provider's job, without a response) before TaskStalled is
                raised; the default is the server's own limit. A task that no node has listed for ten seconds, as after
                a restart, is detected earlier.
            progress: True shows each state in the terminal or the notebook; a function is called with a Progress, and
                awaited if it is async. What it raises ends the wait. Default: nothing is told.
        """
        task_id = task if isinstance(task, str) else getattr(task, "task_id", None)
        if not isinstance(task_id, str):
            anything: object = task
            given = type(task).__name__ + (": await it first" if inspect.iscoroutine(anything) else "")
            raise TypeError(f"task must be the id of a task, or a response that has one, not {given}")
        # A server that has started the task is known to exist, so a failure of the first poll may be a restart.
        return Task(task_id, self._session, backoff, stall_timeout, task is not task_id, progress)
