"""A batch through the model, whatever the server does meanwhile: tried again, halved, or given up with a reason."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import anyio
import attrs
import numpy as np

from aiomlcommons.backoff import Backoff
from aiomlcommons.errors import (
    ApiError,
    DecodeError,
    Forbidden,
    InvalidRequest,
    MLCommonsError,
    ModelNotReady,
    NotFound,
    NotSupported,
    RequestTimeout,
    SessionClosed,
    TooManyRequests,
    Unauthorized,
)
from aiomlcommons.ingest.budget import RetryBudget, pause_for, pauses
from aiomlcommons.ingest.dead_letter import Letter
from aiomlcommons.ingest.limiter import Limiter
from aiomlcommons.ingest.preparing import Batch
from aiomlcommons.ingest.stats import Stats
from aiomlcommons.ingest.types import Sparse
from aiomlcommons.vectors import Vectors

Embed = Callable[[list[str]], Awaitable["Vectors | Sparse"]]
# What no other document would change: the job ends with it, and can be gone on with.
FATAL = (NotFound, Unauthorized, Forbidden, NotSupported, SessionClosed)


class JobStalled(MLCommonsError):
    """Nothing was answered for longer than the job's patience; what was done is kept, the same call goes on."""


class ModelFails(MLCommonsError):
    """The model fails on every document of a batch: the trouble is not in one of them, so none is given up."""


@attrs.frozen
class Predicted:
    """The documents of a batch that have vectors, and the letters of those that have none."""

    batch: Batch
    vectors: Vectors | Sparse
    letters: list[Letter]


@attrs.define
class Predictor:
    """Sends batches to the model. ``patience`` is how many seconds may pass without any answer."""

    embed: Embed
    limiter: Limiter
    budget: RetryBudget
    stats: Stats
    backoff: Backoff = Backoff()
    patience: float = 600.0
    clock: Callable[[], float] = anyio.current_time
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep
    _answered: float | None = None
    _probing: anyio.Lock = attrs.field(factory=anyio.Lock)

    async def __call__(self, batch: Batch) -> Predicted:
        """The batch with its vectors. Raises JobStalled, ModelFails, and what is FATAL."""
        unique = list(dict.fromkeys(batch.texts))
        found: dict[str, Any] = {}
        why: dict[str, str] = {}
        if unique:
            await self._divide(unique, found, why)
        if len(unique) > 1 and not found:
            reason = next(iter(why.values()))
            raise ModelFails(f"the model fails on all {len(unique)} texts of a batch, the first time with: {reason}")
        self.stats.reused += len(batch) - len(unique)
        return _assembled(batch, found, why)

    async def _divide(self, texts: list[str], found: dict[str, Any], why: dict[str, str]) -> None:
        """Embed texts; halve them where they fail together, until what is poisoned stands alone."""
        try:
            vectors = await self._sent(texts)
        except MLCommonsError as error:
            if isinstance(error, (JobStalled, *FATAL)):
                raise
            if len(texts) == 1:
                why[texts[0]] = f"{type(error).__name__}: {error}"
                return
            half = len(texts) // 2
            await self._divide(texts[:half], found, why)
            await self._divide(texts[half:], found, why)
        else:
            found.update(zip(texts, vectors, strict=True))
            self.stats.embedded += len(texts)

    async def _sent(self, texts: list[str]) -> Vectors | Sparse:
        """The answer for these texts, after as many tries as the budget pays for."""
        delays = pauses(self.backoff)
        while True:
            try:
                return await self._once(texts)
            except MLCommonsError as error:
                if not _passes(error):
                    raise
                await self._wait(error, delays)
            self.stats.retried += 1

    async def _once(self, texts: list[str]) -> Vectors | Sparse:
        async with self.limiter.slot() as slot:
            self._look()
            self.stats.requests += 1
            try:
                vectors = await self.embed(texts)
            except MLCommonsError as error:
                if isinstance(error, TooManyRequests | RequestTimeout):
                    slot.refused()
                raise
            finally:
                self._look()
            slot.done(len(texts))
        self._answered = self.clock()
        self.budget.succeeded()
        return vectors

    def _look(self) -> None:
        self.stats.in_flight, self.stats.limit = self.limiter.in_flight, self.limiter.limit

    async def _wait(self, error: MLCommonsError, delays: Iterator[float]) -> None:
        """Pause before the next try. With the budget spent, one at a time tries whether the server is back."""
        if self._answered is None:
            self._answered = self.clock()
        if self.clock() - self._answered > self.patience:
            raise JobStalled(f"no answer for {self.patience:g} s, the last trouble was: {error}") from error
        if self.budget.take(throttled=isinstance(error, TooManyRequests)):
            await self.sleep(pause_for(error, next(delays)))
            return
        async with self._probing:
            await self.sleep(pause_for(error, self.backoff.cap / 2))


def _passes(error: MLCommonsError) -> bool:
    """Whether the same request may well succeed later. What is wrong with a document never passes."""
    if isinstance(error, InvalidRequest | DecodeError):
        return False
    return error.transient or isinstance(error, ModelNotReady) or _is_busy(error)


def _is_busy(error: MLCommonsError) -> bool:
    return isinstance(error, ApiError) and "Acquire operation took longer" in f"{error.reason} {error.details}"


def _assembled(batch: Batch, found: dict[str, Any], why: dict[str, str]) -> Predicted:
    if not why:
        return Predicted(batch, _stacked([found[text] for text in batch.texts]), batch.letters)
    kept = [i for i, text in enumerate(batch.texts) if text in found]
    letters = [batch.fail(i, why[text]) for i, text in enumerate(batch.texts) if text not in found]
    rest = Batch(
        batch.index,
        [batch.numbers[i] for i in kept],
        [batch.ids[i] for i in kept],
        [batch.rows[i] for i in kept],
        [batch.texts[i] for i in kept],
        [*batch.settled, *(letter.row for letter in letters)],
        deduplicated=batch.deduplicated,
    )
    return Predicted(rest, _stacked([found[text] for text in rest.texts]), [*batch.letters, *letters])


def _stacked(vectors: list[Any]) -> Vectors | Sparse:
    if vectors and isinstance(vectors[0], np.ndarray):
        return np.stack(vectors)
    return vectors
