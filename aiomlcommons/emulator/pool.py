"""A bounded thread pool with a bounded queue, for the faults that limit the capacity of a server."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import attrs
from aiohttp import web

from aiomlcommons.emulator.errors import refused

CallNext: TypeAlias = Callable[[], Awaitable[web.Response]]
"""Returns the response to a request: the next handler, as in a middleware chain."""


@attrs.define(eq=False)
class Pool:
    """A pool of ``capacity`` threads with a queue of ``queue`` requests (``math.inf`` is unbounded).

    ``served`` requests were processed, ``turned_away`` were rejected because the queue was full.
    """

    capacity: int
    seconds: float = 0.0
    queue: float = 0
    served: int = 0
    turned_away: int = 0
    _busy: int = 0
    _waiting: deque[asyncio.Future[None]] = attrs.field(factory=deque)

    async def __call__(self, _: web.BaseRequest, call_next: CallNext) -> web.StreamResponse:
        """Wait for a thread, hold it for ``seconds`` and the request, and respond; or respond with 429."""
        await self._enter()
        try:
            await asyncio.sleep(self.seconds)
            answer = await call_next()
        finally:
            self._busy -= 1
            self._wake()
        self.served += 1
        return answer

    def resize(self, capacity: int) -> None:
        """Change the number of threads; requests in progress are not interrupted."""
        self.capacity = capacity
        self._wake()

    async def _enter(self) -> None:
        if self._busy < self.capacity:
            self._busy += 1
            return
        if len(self._waiting) >= self.queue:
            self.turned_away += 1
            message = f"rejected execution: {self.capacity} requests are under way, {len(self._waiting)} wait"
            raise refused(429, "rejected_execution_exception", message)
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._busy -= 1  # got a thread, but was cancelled before it ran
                self._wake()
            raise

    def _wake(self) -> None:
        while self._waiting and self._busy < self.capacity:
            turn = self._waiting.popleft()
            if not turn.done():
                self._busy += 1
                turn.set_result(None)
