"""Turns of batches: those that are begun end before more begin, so that few are half done at any time."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio
import attrs

from aiomlcommons.ingest.pacing.concurrency_limit import ConcurrencyLimit

# So many batches may always be under way, so that the server indexes one while it embeds others.
PARTS = 4


@attrs.define
class Turns:
    """Lets as many batches begin as the limit has room for, in their order (FIFO).

    A batch may need many requests to a model, one after the other. If all that are read had their turn, they would all
    end late, and at the same time: a job that is interrupted would have to send them again.
    """

    limiter: ConcurrencyLimit
    # What each batch that is begun needs.
    _begun: list[int] = attrs.field(factory=list)
    _waiting: deque[tuple[int, anyio.Event]] = attrs.field(factory=deque)

    @property
    def share(self) -> int:
        """The most of the limit that one request may take."""
        return -(-self.limiter.limit // min(PARTS, max(1, len(self._begun))))

    @asynccontextmanager
    async def turn(self, needed: int) -> AsyncGenerator[None]:
        """Wait for the turn of a batch that needs so many requests to a model; it ends with the context."""
        if self._waiting or not self._has_room:
            await self._wait(needed)
        else:
            self._begun.append(needed)
        try:
            yield
        finally:
            self._end(needed)

    async def _wait(self, needed: int) -> None:
        waiter = (needed, anyio.Event())
        self._waiting.append(waiter)
        try:
            await waiter[1].wait()
        except BaseException:
            if waiter in self._waiting:
                self._waiting.remove(waiter)
            else:
                self._end(needed)  # cancelled after its turn had come: pass it on
            raise

    def _end(self, needed: int) -> None:
        self._begun.remove(needed)
        while self._waiting and self._has_room:
            more, turn = self._waiting.popleft()
            self._begun.append(more)
            turn.set()

    @property
    def _has_room(self) -> bool:
        # Twice the limit, for those that pause.
        return len(self._begun) < PARTS or sum(self._begun) < 2 * self.limiter.limit
