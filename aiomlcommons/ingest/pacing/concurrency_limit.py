"""How many requests at once: found by trying, and found anew when the server changes."""

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
    """One request's leave to be sent, among so many; how it went is told by ``done`` or ``refused``."""

    started: float
    among: int
    sample: Sample
    _limiter: ConcurrencyLimit

    def done(self, items: int = 1) -> None:
        """It was answered; ``items`` is how much work it was."""
        self._limiter._succeeded(self, items)

    def refused(self) -> None:
        """It was throttled or timed out: the server has too much to do."""
        self._limiter._refused(self)


class ConcurrencyLimit:
    """At most ``limit`` requests at once, between ``least`` and ``most``; it begins with ``start``.

    ``clock`` gives seconds.
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
        """Always so many at once."""
        return cls(least=count, most=count, start=count)

    @property
    def limit(self) -> int:
        """How many requests may be under way now."""
        return int(self._capacity.limit)

    @property
    def in_flight(self) -> int:
        """How many are under way."""
        return self._in_flight

    @asynccontextmanager
    async def slot(self) -> AsyncGenerator[Slot]:
        """Wait for leave to send one request; who waits longest is let in first."""
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
                self._in_flight -= 1  # it was let in and will not use it
                self._wake()
            else:
                self._waiting.remove(turn)
            raise

    def _wake(self) -> None:
        while self._waiting and self._in_flight < self.limit:
            self._in_flight += 1
            self._waiting.popleft().set()

    def _succeeded(self, slot: Slot, items: int) -> None:
        slot.sample.add(self._clock() - slot.started, max(items, 1), slot.among)
        # A limit that is not used says nothing about what the server could do.
        if self._in_flight >= self.limit:
            self._capacity.grow()
            self._wake()

    def _refused(self, slot: Slot) -> None:
        self._capacity.refuse(slot.started, self._clock())
