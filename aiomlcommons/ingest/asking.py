"""Texts to the model, whatever the server does meanwhile: tried again for as long as it may help."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator

import anyio
import attrs

from aiomlcommons.backoff import Backoff
from aiomlcommons.errors import (
    ApiError,
    DecodeError,
    InvalidRequest,
    MLCommonsError,
    ModelNotReady,
    RequestTimeout,
    ServerError,
    TooManyRequests,
)
from aiomlcommons.ingest.budget import RetryBudget, pause_for, pauses
from aiomlcommons.ingest.embedder import Embed
from aiomlcommons.ingest.limiter import Limiter, Slot
from aiomlcommons.ingest.rate import Rate
from aiomlcommons.ingest.stats import Stats
from aiomlcommons.ingest.types import Sparse
from aiomlcommons.vectors import Vectors

# An error of the server (500) is that of a text which it cannot digest, or it is chance: asking again tells them apart.
# Texts together get one more chance, as they are halved next; a text alone gets two, as it is given up.
CHANCES, CHANCES_ALONE = 2, 3


class JobStalled(MLCommonsError):
    """Nothing was answered for longer than the job's patience; what was done is kept, the same call goes on."""


@attrs.define
class Asker:
    """Asks the model for vectors. ``patience`` is how many seconds of trouble may pass without any answer."""

    embed: Embed
    limiter: Limiter
    budget: RetryBudget
    stats: Stats
    backoff: Backoff = Backoff()
    patience: float = 600.0
    rate: Rate | None = None
    clock: Callable[[], float] = anyio.current_time
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep
    _silent: float | None = None
    _probing: anyio.Lock = attrs.field(factory=anyio.Lock)

    async def __call__(self, texts: list[str]) -> Vectors | Sparse:
        """The answer for these texts, after as many tries as the budget pays for. Raises what does not pass."""
        delays = pauses(self.backoff)
        attempt = self._once(texts)
        chances = CHANCES if len(texts) > 1 else CHANCES_ALONE
        while True:
            try:
                return await attempt
            except MLCommonsError as error:
                if not _passes(error):
                    chances -= isinstance(error, ServerError)
                    if not chances or not isinstance(error, ServerError):
                        raise
                self._check_patience(error)
                attempt = self._again(texts, error, delays)

    async def _once(self, texts: list[str]) -> Vectors | Sparse:
        if self.rate is not None:
            await self.rate.wait(texts)
        try:
            async with self.limiter.slot() as slot:
                self._look()
                self.stats.requests += 1
                return await self._asked(texts, slot)
        finally:
            self._look()

    async def _asked(self, texts: list[str], slot: Slot) -> Vectors | Sparse:
        try:
            vectors = await self.embed(texts)
        except MLCommonsError as error:
            if isinstance(error, RequestTimeout) or _is_throttled(error):
                slot.refused()
            raise
        slot.done(len(texts))
        self._silent = None
        self.budget.succeeded()
        return vectors

    def _look(self) -> None:
        self.stats.in_flight, self.stats.limit = self.limiter.in_flight, self.limiter.limit

    def _check_patience(self, error: MLCommonsError) -> None:
        # Counted from the first trouble, not from the last answer: a slow source asks for nothing in between.
        if self._silent is None:
            self._silent = self.clock()
        if self.clock() - self._silent > self.patience:
            raise JobStalled(f"no answer for {self.patience:g} s, the last trouble was: {error}") from error

    async def _again(self, texts: list[str], error: MLCommonsError, delays: Iterator[float]) -> Vectors | Sparse:
        """Pause and try once more. With the budget spent, one at a time tries whether the server is back."""
        if self.budget.take(throttled=_is_throttled(error)):
            await self.sleep(pause_for(error, next(delays)))
            self.stats.retried += 1
            return await self._once(texts)
        async with self._probing:
            # Who waited here while another one was answered need not wait any longer.
            await self.sleep(pause_for(error, 0.0 if self._silent is None else self.backoff.cap / 2))
            self.stats.retried += 1
            return await self._once(texts)


def _passes(error: MLCommonsError) -> bool:
    """Whether the same request may well succeed later. What is wrong with a document never passes."""
    if isinstance(error, InvalidRequest | DecodeError):
        return False
    return error.transient or isinstance(error, ModelNotReady) or _is_throttled(error)


def _is_throttled(error: MLCommonsError) -> bool:
    """Whether the server, or its connector, has more requests than it takes at once."""
    if isinstance(error, TooManyRequests):
        return error.transient
    return isinstance(error, ApiError) and "Acquire operation took longer" in f"{error.reason} {error.details}"
