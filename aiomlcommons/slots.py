"""A semaphore for hot paths of asyncio: what it costs where nobody has to wait is a subtraction."""

from __future__ import annotations

import asyncio
from collections import deque


class Slots:
    """A semaphore: ``await slots.take()``, which costs no turn of the event loop if one is free."""

    # anyio's would look after the cancellation of each caller, which costs more than all else here.
    __slots__ = ("_free", "_waiting")

    def __init__(self, free: int) -> None:
        self._free = free
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def take(self) -> None:
        """Take a slot, or wait for one. Who came first gets the first."""
        if self._free:
            self._free -= 1
            return
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        try:
            await waiting
        except BaseException:
            if waiting.done() and not waiting.cancelled():
                self.release()  # cancelled when it had just got one
            raise

    def release(self) -> None:
        """Free a slot, or hand it to who waits for one."""
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.set_result(None)
                return
        self._free += 1

    def release_all(self) -> None:
        """Give everybody who waits a slot."""
        while self._waiting:
            self.release()
