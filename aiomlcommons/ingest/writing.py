"""Writes to the sink: so many at once, and each of them whole, also when the job is left."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

import anyio
import attrs

T = TypeVar("T")
# Grace period in seconds for writes in flight when the job is left: a batch that is cut off is written again on resume.
GRACE = 10.0


@attrs.define(eq=False)
class Writers(Generic[T]):
    """Tasks that write batches, at most ``most`` at once. They are reused, for a batch is written in less time.

    Each is shielded from cancellation, lest a write be torn: a job that is left waits for the writes in flight, for
    the grace period at most, and calls ``left`` before.
    """

    write: Callable[[T], Awaitable[None]]
    most: int
    left: Callable[[], None] = lambda: None
    _started: int = 0
    _waiting: deque[T] = attrs.field(factory=deque)
    _available: anyio.Semaphore = attrs.field(factory=lambda: anyio.Semaphore(0, fast_acquire=True))
    _slots: anyio.Semaphore = attrs.field(init=False)
    _scopes: set[anyio.CancelScope] = attrs.field(factory=set)
    _group: anyio.abc.TaskGroup = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._slots = anyio.Semaphore(self.most, fast_acquire=True)

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Run the tasks while the context is open. Raises the error of a write, in a group, as soon as it fails."""
        async with anyio.create_task_group() as self._group:
            ended = anyio.Event()
            self._group.start_soon(self._end_if_left, ended)
            yield
            await self.idle()
            ended.set()

    async def __call__(self, batch: T) -> None:
        """Have a batch written, once another write is finished if there are so many."""
        await self._slots.acquire()
        self._waiting.append(batch)
        if self._started < self.most:
            self._started += 1
            self._group.start_soon(self._work)
        self._available.release()

    async def idle(self) -> None:
        """Wait until all writes are finished."""
        for _ in range(self.most):
            await self._slots.acquire()
        for _ in range(self.most):
            self._slots.release()

    async def _work(self) -> None:
        with anyio.CancelScope(shield=True) as scope:
            self._scopes.add(scope)
            await self._available.acquire()
            while self._waiting:
                await self.write(self._waiting.popleft())
                self._slots.release()
                await self._available.acquire()

    async def _end_if_left(self, ended: anyio.Event) -> None:
        """End the tasks when the context is left: at once those that are idle, after the grace period the others."""
        try:
            await ended.wait()
        finally:
            self._waiting.clear()
            for _ in range(self._started):
                self._available.release()
            if not ended.is_set():
                for scope in self._scopes:
                    scope.deadline = anyio.current_time() + GRACE
                self.left()
