"""Time that passes only when all tasks wait for it: whatever a test needs that would otherwise sleep."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

import anyio

T = TypeVar("T")
# As many turns of the event loop as one event may set off, with room to spare.
TURNS = 30


class Clock:
    """Seconds that a queue of events moves on. ``slept`` is every pause that was asked for."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []
        self._queue: list[tuple[float, int, anyio.Event]] = []
        self._count = 0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await self.passing(seconds)

    async def passing(self, seconds: float) -> None:
        """Wait without its being noted."""
        event, self._count = anyio.Event(), self._count + 1
        heapq.heappush(self._queue, (self.now + seconds, self._count, event))
        await event.wait()

    async def run(self, *work: Coroutine[Any, Any, T]) -> list[T]:
        """Run coroutines together until all are done. Raises the first error of one of them."""
        tasks = [asyncio.create_task(one) for one in work]
        try:
            while await self._waits(tasks):
                assert self._queue, "all wait, and nothing will happen any more"
                self.now, _, event = heapq.heappop(self._queue)
                event.set()
            return [task.result() for task in tasks]
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _waits(self, tasks: Iterable[asyncio.Task[Any]]) -> bool:
        await turns()
        ended = [task for task in tasks if task.done()]
        return not any(task.exception() for task in ended) and len(ended) < len(list(tasks))


async def turns(count: int = TURNS) -> None:
    """Let everything go on that can."""
    for _ in range(count):
        await asyncio.sleep(0)


def at_once(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that must not wait for anything."""
    try:
        work.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    work.close()
    raise AssertionError("it waits")
