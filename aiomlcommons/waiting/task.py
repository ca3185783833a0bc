"""Waiting for what the server does after it has answered."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Generator
from typing import Any, Protocol

import anyio
import attrs

from aiomlcommons.api.stats import GetTaskProfiles
from aiomlcommons.api.tasks import CancelTask, GetTask, SearchTasks, TaskInfo, TaskState, TaskType
from aiomlcommons.endpoint import Sends
from aiomlcommons.errors import MLCommonsError, ServerError
from aiomlcommons.namespace import HasSession
from aiomlcommons.net.backoff import Backoff
from aiomlcommons.trouble.said import heard
from aiomlcommons.trouble.table import Kind, trouble_of
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
"""What nodes keep in mind while they do it, and tell in their profile."""
LAG = 10.0
"""Seconds that a record may lag behind what the nodes do."""
RESTART = 120.0
"""Seconds for which a server that has answered may be away: it is restarted, or its shards recover."""


@attrs.frozen
class Task:
    """A job on the server: ``await`` it for its end, ``async for`` it for each change.

    Cancelling the wait stops the asking, not the job. The limit of a wait is the caller's: ``anyio.fail_after(60)``.
    """

    task_id: str
    _session: Sends
    _backoff: Backoff = Backoff()
    _stall_timeout: float = 600.0
    _is_known: bool = attrs.field(default=False, alias="is_known")

    def __await__(self) -> Generator[Any, Any, TaskInfo]:
        """The task as it ended.

        A task that is COMPLETED_WITH_ERROR did its work on some nodes; ``node_errors`` tells of the others. Raises
        TaskFailed where it failed, was cancelled or expired, TaskStalled where it stopped changing.
        """
        return self._end().__await__()

    async def cancel(self) -> TaskInfo:
        """Have the provider stop a remote batch prediction; the task as it stands then, ``remote_job`` in its words.

        It may be CANCELLING for a while: wait for the end as before, which is TaskFailed with the state CANCELLED.
        Raises BadRequest for any other task, for the server can stop no other.
        """
        await self._session.send(CancelTask(self.task_id))
        return await self._session.send(GetTask(self.task_id))

    async def __aiter__(self) -> AsyncIterator[TaskInfo]:
        """Each state that differs from the one before; the last is the end, also when that is a failure."""
        last: TaskInfo | None = None
        alive = seen = anyio.current_time()
        delays = iter(self._backoff)
        while last is None or last.state not in ENDED:
            if last is not None:
                await anyio.sleep(next(delays))
            info = await self._look(last, anyio.current_time() - seen)
            if info is None:
                continue
            seen = anyio.current_time()
            still = seen - alive
            changed = _is_changed(info, last)
            if changed or _is_remote(info):
                alive = anyio.current_time()
            elif still >= self._stall_timeout or (still >= LAG and await self._is_forgotten(info)):
                raise TaskStalled(self.task_id, info, still)
            last = info
            if changed:
                yield info

    async def _look(self, last: TaskInfo | None, unseen: float) -> TaskInfo | None:
        """The task, or None where there is trouble that may pass: the server restarts, or a job's provider does."""
        try:
            return await self._session.send(GetTask(self.task_id))
        except MLCommonsError as error:
            remote = last is not None and _is_remote(last)
            passes = error.transient or (remote and isinstance(error, ServerError))
            longest = min(self._stall_timeout, math.inf if remote else RESTART)
            if not (passes and (last or self._is_known)) or unseen >= longest:
                raise
            return None

    async def _is_forgotten(self, info: TaskInfo) -> bool:
        """Whether no node is at work on it. After a restart the record of a task goes on saying that it runs."""
        if info.task_type not in ON_NODES:
            return False
        try:
            profile = await self._session.send(GetTaskProfiles(self.task_id))
        except MLCommonsError:
            return False
        return not any(self.task_id in (node.tasks or {}) for node in (profile.nodes or {}).values())

    async def _end(self) -> TaskInfo:
        info = TaskInfo()
        async for info in self:  # noqa: B007 - the last one is what is wanted
            pass
        if info.state in SUCCEEDED:
            return info
        if is_beaten(info) and (other := await self._running_instead(info)):
            return await other
        raise TaskFailed(self.task_id, info)

    async def _running_instead(self, info: TaskInfo) -> Task | None:
        """The deployment that this one lost against: the newest other that did not lose itself."""
        body = {
            "query": {"bool": {"filter": [{"term": {"model_id": info.model_id}}]}},
            "sort": [{"create_time": "desc"}],
            "size": 20,
        }
        # A search sees a task a second after it was written, so the other one may need a few looks.
        for _, delay in zip(range(8), self._backoff, strict=False):
            found = await self._session.send(SearchTasks(body))
            for hit in found.hits.hits:
                if hit.id != self.task_id and hit.source is not None and _was_under_way(hit.source, info):
                    return attrs.evolve(self, task_id=hit.id)
            await anyio.sleep(delay)
        return None


def is_beaten(info: TaskInfo) -> bool:
    """Whether a deployment failed only because another one of the same model was under way."""
    beaten = info.state == TaskState.FAILED and trouble_of(heard(0, info.error)).kind is Kind.RACE
    return beaten and info.model_id is not None and info.task_type in {TaskType.DEPLOY_MODEL, TaskType.LOAD_MODEL}


def _is_remote(info: TaskInfo) -> bool:
    """Whether a provider does the work. It may take hours without a change; that it answers shows that it is there."""
    return info.task_type == TaskType.BATCH_PREDICTION


def _is_changed(info: TaskInfo, last: TaskInfo | None) -> bool:
    if last is None or not _is_remote(info):
        return info != last
    # The look itself changes the time of the last update, which is no news.
    return (info.state, info.remote_job, info.error) != (last.state, last.remote_job, last.error)


def _was_under_way(other: TaskInfo, info: TaskInfo) -> bool:
    if other.task_type != info.task_type or is_beaten(other):
        return False
    # A deployment of last week has ended too; only one that was going on when ours began made ours a duplicate.
    return other.state not in ENDED or (other.last_update_time or 0) >= (info.create_time or 0)


class Started(Protocol):
    """Any answer that names the task which it started."""

    @property
    def task_id(self) -> str: ...


class Waits(HasSession):
    """What a session adds to wait for tasks."""

    def task(self, task: str | Started, *, backoff: Backoff = Backoff(), stall_timeout: float = 600.0) -> Task:
        """Wait for a job on the server, by its id or by the answer that started it: ``await ml.task(started)``.

        A restart of the server is waited out. A deployment that failed only because another one of the same model was
        under way is followed to the other. A remote batch prediction may take hours and never stalls: errors of its
        provider are waited out, and since each look asks the provider, ``Backoff(cap=60)`` is kinder.

        Args:
            task: The id of a task, or an answer that has a ``task_id``.
            backoff: The pauses between two looks: 0.1 s at first, up to 10 s.
            stall_timeout: Seconds without a change (or, of a provider's job, without an answer) after which TaskStalled
                is raised; the default is the server's own limit. A task that no node works on any more is noticed after
                ten seconds.
        """
        task_id = task if isinstance(task, str) else task.task_id
        # Who answered that it began is there, and may be restarted before the first look.
        return Task(task_id, self._session, backoff, stall_timeout, is_known=task is not task_id)
