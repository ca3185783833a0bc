"""Token bucket rate limiter without a burst: requests and tokens per minute, for providers with such quotas."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Sequence

import anyio
import attrs

from aiomlcommons.ingest.pacing.clock import loop_time
from aiomlcommons.typed import typed_fields

# The providers' rule of thumb for English; a job may pass its model's own tokenizer instead.
CHARACTERS_PER_TOKEN = 4


def about_tokens(text: str) -> int:
    """Return a rough estimate of the number of tokens in a text."""
    return len(text) // CHARACTERS_PER_TOKEN + 1


@attrs.define(field_transformer=typed_fields)
class RateLimit:
    """A token bucket without a burst: ``requests`` and ``tokens`` per minute, evenly spaced.

    Unused quota does not accumulate. ``tokens_of`` counts the tokens of a text.
    """

    requests: float = math.inf
    tokens: float = math.inf
    tokens_of: Callable[[str], int] = about_tokens
    clock: Callable[[], float] = loop_time
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep
    _next_free: float = -math.inf

    async def wait(self, texts: Sequence[str], requests: int = 1) -> None:
        """Wait until a request with these texts may be sent, or several, first come, first served."""
        now = self.clock()
        start = max(now, self._next_free)
        self._next_free = start + self._minutes(texts, requests) * 60
        if start > now:
            await self.sleep(start - now)

    def _minutes(self, texts: Sequence[str], requests: int) -> float:
        by_tokens = 0.0 if math.isinf(self.tokens) else sum(map(self.tokens_of, texts)) / self.tokens
        return max(requests / self.requests, by_tokens)
