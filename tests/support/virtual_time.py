"""Virtual time, which advances only when all tasks wait for it, for tests that would otherwise sleep."""

from __future__ import annotations

import asyncio
import heapq
import math
import selectors
from collections.abc import Callable, Coroutine, Iterable
from typing import Any, TypeVar

import anyio

T = TypeVar("T")
# More iterations of the event loop than one event can trigger.
TURNS = 30


class Clock:
    """A virtual clock driven by a queue of events. ``slept`` lists every requested pause."""

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
        """Wait without an entry in ``slept``."""
        event, self._count = anyio.Event(), self._count + 1
        heapq.heappush(self._queue, (self.now + seconds, self._count, event))
        await event.wait()

    async def run(self, *work: Coroutine[Any, Any, T]) -> list[T]:
        """Run coroutines concurrently until all are done; raise the first error of one of them."""
        tasks = [asyncio.create_task(one) for one in work]
        try:
            while await self._waits(tasks):
                assert self._queue, "all wait, and nothing will happen any more"
                self.now, _, event = heapq.heappop(self._queue)
                event.set()
            for task in tasks:
                if task.done():
                    task.result()  # raises its error, even if others are not done yet
            return [task.result() for task in tasks]
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _waits(self, tasks: Iterable[asyncio.Task[Any]]) -> bool:
        await turns()
        ended = [task for task in tasks if task.done()]
        return not any(task.exception() for task in ended) and len(ended) < len(list(tasks))


class Loop(asyncio.SelectorEventLoop):
    """An event loop with virtual time, which advances only during ``run``, and only when all tasks wait."""

    def __init__(self) -> None:
        self._now = self._until = self._events = 0.0
        super().__init__(_Selector(self._wait))

    def time(self) -> float:
        return self._now

    def run(self, *, seconds: float = math.inf, events: float = math.inf) -> None:
        """Run until nothing happens any more, or for at most so many seconds and timers."""
        self._until, self._events = self._now + seconds, events
        self.run_forever()
        if seconds < math.inf and self._events:
            self._now = self._until

    def _wait(self, seconds: float | None) -> None:
        if seconds == 0:
            return
        due = math.inf if seconds is None else self._now + seconds
        if due == math.inf or due > self._until or not self._events:
            self.stop()
        else:
            self._now = due
            self._events -= 1


class _Selector(selectors.SelectSelector):
    """A selector that does not wait for its files, and reports how long it would have."""

    def __init__(self, wait: Callable[[float | None], None]) -> None:
        super().__init__()
        self._wait = wait

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self._wait(timeout)
        return super().select(0)


async def turns(count: int = TURNS) -> None:
    """Run everything that can run."""
    for _ in range(count):
        await asyncio.sleep(0)


def at_once(work: Coroutine[Any, Any, T]) -> T:
    """Return the result of a coroutine that must not wait for anything."""
    try:
        work.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    work.close()
    raise AssertionError("it waits")
