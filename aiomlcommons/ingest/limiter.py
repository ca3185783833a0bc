"""How many requests at once: found by trying, and found anew when the server changes."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import anyio
import attrs

# What a decrease leaves of the limit: gentler than halving, because a refused batch costs little and is sent again.
DECREASE = 0.7
# Latency may grow to so many times the best one before more requests at once only wait in the server's queue.
TOLERANCE = 2.0
# The best latency is forgotten slowly, so that a server that has become slower is believed in the end; but only at a
# limit that is no higher than the one it was seen at: with more at once the own requests wait for each other.
FORGET = 1.02
# How much one answer changes the usual latency: texts differ in length, and a long one is no sign of a queue.
SMOOTHING = 0.1


@attrs.define
class Slot:
    """One request's leave to be sent; how it went is told by ``done`` or ``refused``."""

    started: float
    _limiter: Limiter

    def done(self, items: int = 1) -> None:
        """It was answered; ``items`` is how much work it was."""
        self._limiter._succeeded(self, items)

    def refused(self) -> None:
        """It was throttled or timed out: the server has too much to do."""
        self._limiter._refused(self)


class Limiter:
    """At most ``limit`` requests at once, between ``least`` and ``most``; it begins with ``start``.

    It doubles until the first sign of too much, and then grows by one for each round trip. A refusal takes 30 % off,
    once for all requests that were under way together; latency that has doubled stops the growth, and more than that
    takes one off. ``clock`` gives seconds.
    """

    def __init__(
        self, *, least: int = 1, most: int = 64, start: int = 2, clock: Callable[[], float] = time.monotonic
    ) -> None:
        if not 1 <= least <= start <= most:
            raise ValueError(f"concurrency must have 1 <= least <= start <= most, not {least}, {start}, {most}")
        self._least, self.most, self._clock = least, most, clock
        self._limit, self._in_flight = float(start), 0
        self._doubling, self._decreased = True, -math.inf
        self._usual, self._best, self._best_at = 0.0, math.inf, self._limit
        self._waiting: deque[anyio.Event] = deque()

    @classmethod
    def fixed(cls, count: int) -> Limiter:
        """Always so many at once."""
        return cls(least=count, most=count, start=count)

    @property
    def limit(self) -> int:
        """How many requests may be under way now."""
        return int(self._limit)

    @property
    def in_flight(self) -> int:
        """How many are under way."""
        return self._in_flight

    @asynccontextmanager
    async def slot(self) -> AsyncGenerator[Slot]:
        """Wait for leave to send one request; who waits longest is let in first."""
        await self._enter()
        try:
            yield Slot(self._clock(), self)
        finally:
            self._in_flight -= 1
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
        ratio = self._compared((self._clock() - slot.started) / max(items, 1))
        # A limit that is not used says nothing about what the server could do.
        if self._in_flight >= self.limit and ratio <= TOLERANCE:
            self._grow()
        elif ratio > 2 * TOLERANCE and slot.started > self._decreased:
            self._doubling, self._decreased = False, self._clock()
            self._set(self._limit - 1)

    def _compared(self, latency: float) -> float:
        """How many times the best latency this one is."""
        if self._limit <= self._best_at:
            self._best *= FORGET
        self._usual += (latency - self._usual) * SMOOTHING if self._usual else latency
        if self._usual < self._best:
            self._best, self._best_at = self._usual, self._limit
        return self._usual / self._best if self._best > 0 else 1.0

    def _grow(self) -> None:
        self._set(self._limit + (1 if self._doubling else 1 / self._limit))
        self._wake()

    def _refused(self, slot: Slot) -> None:
        self._doubling = False
        if slot.started > self._decreased:
            self._decreased = self._clock()
            self._set(self._limit * DECREASE)

    def _set(self, limit: float) -> None:
        self._limit = min(max(limit, self._least), self.most)
