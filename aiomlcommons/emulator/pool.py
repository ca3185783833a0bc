"""A pool of threads that requests wait for."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import attrs
from aiohttp import web

from aiomlcommons.emulator.errors import refused

Goes: TypeAlias = Callable[[], Awaitable[web.Response]]
"""What gives the answer to a request."""


@attrs.define(eq=False)
class Pool:
    """A pool of threads, and a line of ``queue`` requests before it (``math.inf`` is no end to it).

    ``served`` requests came through it, ``turned_away`` did not.
    """

    capacity: int
    seconds: float = 0.0
    queue: float = 0
    served: int = 0
    turned_away: int = 0
    _busy: int = 0
    _line: deque[asyncio.Future[None]] = attrs.field(factory=deque)

    async def __call__(self, _: web.BaseRequest, go: Goes) -> web.StreamResponse:
        """Wait for a thread, hold it for as long as the work takes, and answer; or refuse."""
        await self._enter()
        try:
            await asyncio.sleep(self.seconds)
            answer = await go()
        finally:
            self._busy -= 1
            self._call()
        self.served += 1
        return answer

    def resize(self, capacity: int) -> None:
        """Another number of threads from now on; who is being served stays so."""
        self.capacity = capacity
        self._call()

    async def _enter(self) -> None:
        if self._busy < self.capacity:
            self._busy += 1
            return
        if len(self._line) >= self.queue:
            self.turned_away += 1
            words = f"rejected execution: {self.capacity} requests are under way, {len(self._line)} wait"
            raise refused(429, "rejected_execution_exception", words)
        turn = asyncio.get_running_loop().create_future()
        self._line.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._busy -= 1  # called, and gone before it came
                self._call()
            raise

    def _call(self) -> None:
        while self._line and self._busy < self.capacity:
            turn = self._line.popleft()
            if not turn.done():
                self._busy += 1
                turn.set_result(None)
