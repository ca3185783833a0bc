"""AIMD concurrency limiter with a latency probe (compare TCP Vegas, and Netflix's concurrency-limits).

Finds how many requests a server takes at once, and follows it when that changes; ``_capacity`` has the control law.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import anyio
import attrs

from aiomlcommons.ingest.pacing._capacity import Capacity
from aiomlcommons.ingest.pacing._sample import Sample


@attrs.define
class Slot:
    """A permit to send one request; report its outcome with ``done`` or ``refused``. Other outcomes need no report."""

    started: float
    in_flight: int
    sample: Sample
    _limiter: ConcurrencyLimit

    def done(self, items: int = 1) -> None:
        """Report success; ``items`` is the size of the request, by which its latency is divided."""
        self._limiter._succeeded(self, items)

    def refused(self) -> None:
        """Report a throttled or timed-out request: the server is overloaded."""
        self._limiter._refused(self)


class ConcurrencyLimit:
    """A FIFO semaphore whose ``limit`` adapts to the server.

    The limit starts at ``start`` and stays between ``least`` and ``most``; ``clock`` returns seconds. Raises ValueError
    unless 1 <= least <= start <= most.
    """

    def __init__(
        self, *, least: int = 1, most: int = 64, start: int = 2, clock: Callable[[], float] = time.monotonic
    ) -> None:
        if not 1 <= least <= start <= most:
            raise ValueError(f"concurrency must have 1 <= least <= start <= most, not {least}, {start}, {most}")
        self.most = most
        self._clock = clock
        self._capacity = Capacity(start, least, most)
        self._in_flight = 0
        self._waiting: deque[anyio.Event] = deque()

    @classmethod
    def fixed(cls, count: int) -> ConcurrencyLimit:
        """Return a limiter with a fixed limit."""
        return cls(least=count, most=count, start=count)

    @property
    def limit(self) -> int:
        """The most requests that may be in flight now."""
        return int(self._capacity.limit)

    @property
    def in_flight(self) -> int:
        """The number of requests in flight."""
        return self._in_flight

    @asynccontextmanager
    async def slot(self) -> AsyncGenerator[Slot]:
        """Wait for a permit to send one request; it is released on exit. Waiters are served in order (FIFO)."""
        await self._enter()
        sample = self._capacity.begin()
        try:
            yield Slot(self._clock(), self._in_flight, sample, self)
        finally:
            self._in_flight -= 1
            self._capacity.end(sample)
            self._wake()

    async def _enter(self) -> None:
        if self._in_flight < self.limit and not self._waiting:
            self._in_flight += 1
            return
        turn = anyio.Event()
        self._waiting.append(turn)
        try:
            await turn.wait()
        except BaseException:
            if turn.is_set():
                self._in_flight -= 1  # cancelled after its turn had come: pass the permit on
                self._wake()
            else:
                self._waiting.remove(turn)
            raise

    def _wake(self) -> None:
        while self._waiting and self._in_flight < self.limit:
            self._in_flight += 1
            self._waiting.popleft().set()

    def _succeeded(self, slot: Slot, items: int) -> None:
        slot.sample.add(self._clock() - slot.started, max(items, 1), slot.in_flight)
        # Without all of the limit in use, a success says nothing about whether the server could take more.
        if self._in_flight >= self.limit:
            self._capacity.grow()
            self._wake()

    def _refused(self, slot: Slot) -> None:
        self._capacity.refuse(slot.started, self._clock())
