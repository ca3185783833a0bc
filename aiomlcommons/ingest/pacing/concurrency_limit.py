"""Adaptive concurrency limiter (compare TCP BBR, and Netflix's concurrency-limits).

Finds how many requests a server takes at once, and follows it when that changes; ``_capacity`` has the control law.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType

from aiomlcommons.ingest.pacing._capacity import Capacity
from aiomlcommons.ingest.pacing._sample import Sample


class Slot:
    """A permit to send one request, as an async context manager; it is released on exit.

    A request that makes the server send several to a model takes ``most`` permits, or as many as there are. ``width``
    is how many it got, and ``served`` how many of these count for nothing where it reports a refusal.

    Report its outcome with ``done`` or ``refused``. Other outcomes need no report.
    """

    # A class with slots, not a generator: each request enters one.
    __slots__ = ("_limiter", "_most", "_sample", "_started", "served", "width")
    _sample: Sample
    _started: float
    width: int

    def __init__(self, limiter: ConcurrencyLimit, most: int = 1) -> None:
        self._limiter, self._most, self.served = limiter, most, 0

    async def __aenter__(self) -> Slot:
        limiter = self._limiter
        if limiter.in_flight < limiter.limit and not limiter._waiting:
            self.width = limiter._take(self._most)
        else:
            self.width = await limiter._turn(self._most)
        self._sample = limiter._capacity.begin(self.width)
        self._started = limiter._clock()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        limiter = self._limiter
        limiter.in_flight -= self.width
        limiter._capacity.end(self._sample, self.width)
        if limiter._waiting:
            limiter._wake()

    def done(self, items: int = 1) -> None:
        """Report success; ``items`` is the size of the request, by which its latency is divided."""
        limiter = self._limiter
        # Without all of the limit in use, a success says nothing about whether the server could take more.
        crowded = self.width if limiter.in_flight >= limiter.limit else 0
        self._sample.add(limiter._clock() - self._started, (items or 1) / self.width, crowded)

    def refused(self) -> None:
        """Report a throttled or timed-out request: the server is overloaded."""
        limiter = self._limiter
        taken = limiter.in_flight - self.width + self.served
        limiter._capacity.refuse(self._sample, self._started, limiter._clock(), taken)


class ConcurrencyLimit:
    """A FIFO semaphore whose ``limit`` adapts to the server.

    The limit starts at ``start`` and stays between ``least`` and ``most``; ``clock`` returns seconds. Raises ValueError
    unless 1 <= least <= start <= most.

    Attributes:
        most: The upper bound of the limit.
        in_flight: The number of requests in flight.
    """

    def __init__(
        self, *, least: int = 1, most: int = 64, start: int = 2, clock: Callable[[], float] = time.monotonic
    ) -> None:
        if not 1 <= least <= start <= most:
            raise ValueError(f"concurrency must have 1 <= least <= start <= most, not {least}, {start}, {most}")
        self.most = most
        self.in_flight = 0
        self._clock = clock
        self._capacity = Capacity(start, least, most)
        self._waiting: deque[tuple[asyncio.Future[int], int]] = deque()

    @classmethod
    def fixed(cls, count: int) -> ConcurrencyLimit:
        """Return a limiter with a fixed limit."""
        return cls(least=count, most=count, start=count)

    @property
    def limit(self) -> int:
        """The most requests that may be in flight now."""
        return self._capacity.limit

    def slot(self, most: int = 1) -> Slot:
        """Return a context that waits for a permit to send one request. Waiters are served in order (FIFO).

        With ``most`` it takes up to so many at once, but does not wait for more than the first.
        """
        return Slot(self, most)

    def _take(self, most: int) -> int:
        width = min(most, self.limit - self.in_flight)
        self.in_flight += width
        return width

    async def _turn(self, most: int) -> int:
        turn: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        waiter = (turn, most)
        self._waiting.append(waiter)
        try:
            return await turn
        except BaseException:
            if waiter in self._waiting:
                self._waiting.remove(waiter)
            elif not turn.cancelled():
                self.in_flight -= turn.result()  # cancelled after its turn had come: pass the permits on
                self._wake()
            raise

    def _wake(self) -> None:
        while self._waiting and self.in_flight < self.limit:
            turn, most = self._waiting.popleft()
            if not turn.done():  # else it was cancelled, and its task has not run yet
                turn.set_result(self._take(most))
