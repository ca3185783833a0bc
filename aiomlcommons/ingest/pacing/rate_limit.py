"""So much a minute: for models that are paid for, whose providers refuse more."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence

import anyio
import attrs

# The rule of thumb that providers give for English; a job may bring its model's own count.
CHARACTERS = 4


def about_tokens(text: str) -> int:
    """Roughly how many tokens a text has."""
    return len(text) // CHARACTERS + 1


@attrs.define
class RateLimit:
    """Lets ``requests`` and ``tokens`` through each minute, evenly: nobody saves up for a burst.

    ``tokens_of`` tells how many a text has.
    """

    requests: float = math.inf
    tokens: float = math.inf
    tokens_of: Callable[[str], int] = about_tokens
    clock: Callable[[], float] = anyio.current_time
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep
    _free: float = -math.inf

    async def wait(self, texts: Sequence[str]) -> None:
        """Wait for the turn of a request with these texts; who comes first goes first."""
        now = self.clock()
        start = max(now, self._free)
        self._free = start + self._minutes(texts) * 60
        if start > now:
            await self.sleep(start - now)

    def _minutes(self, texts: Sequence[str]) -> float:
        by_tokens = 0.0 if math.isinf(self.tokens) else sum(map(self.tokens_of, texts)) / self.tokens
        return max(1 / self.requests, by_tokens)
