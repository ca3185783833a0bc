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
from aiomlcommons.ingest.limiter import Limiter, Slot
from aiomlcommons.ingest.preparing import Batch
from aiomlcommons.ingest.stats import Stats
from aiomlcommons.ingest.types import Sparse
from aiomlcommons.vectors import Vectors

Embed = Callable[[list[str]], Awaitable["Vectors | Sparse"]]
# What no other document would change: the job ends with it, and can be gone on with.
FATAL = (NotFound, Unauthorized, Forbidden, NotSupported, SessionClosed)
# A text that any model embeds: where it fails too, the trouble is not in the documents.
HARMLESS = "text"


class JobStalled(MLCommonsError):
    """Nothing was answered for longer than the job's patience; what was done is kept, the same call goes on."""


class ModelFails(MLCommonsError):
    """The model fails on every document of a batch and on a harmless text too, so no document is given up."""


@attrs.frozen
class Predicted:
    """The documents of a batch that have vectors, and the letters of those that have none."""

    batch: Batch
    vectors: Vectors | Sparse
    letters: list[Letter]


@attrs.define
class Predictor:
    """Sends batches to the model. ``patience`` is how many seconds of trouble may pass without any answer."""

    embed: Embed
    limiter: Limiter
    budget: RetryBudget
    stats: Stats
    backoff: Backoff = Backoff()
    patience: float = 600.0
    clock: Callable[[], float] = anyio.current_time
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep
    _silent: float | None = None
    _probing: anyio.Lock = attrs.field(factory=anyio.Lock)

    async def __call__(self, batch: Batch) -> Predicted:
        """The batch with its vectors. Raises JobStalled, ModelFails, and what is FATAL."""
        unique = list(dict.fromkeys(batch.texts))
        found: dict[str, Any] = {}
        why: dict[str, str] = {}
        if unique:
            await self._divide(unique, found, why)
            if not found:
                await self._doubt(why)
        predicted = _assembled(batch, found, why)
        self.stats.reused += len(predicted.batch) - len(found)
        return predicted

    async def _doubt(self, why: dict[str, str]) -> None:
        """Nothing of a batch could be embedded: ask whether that is the model's fault."""
        try:
            await self._sent([HARMLESS])
        except MLCommonsError as error:
            if isinstance(error, (JobStalled, *FATAL)):
                raise
            reason = next(iter(why.values()))
            words = f"the model fails on all {len(why)} texts of a batch, the first time with: {reason}"
            raise ModelFails(words) from error

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
        attempt = self._once(texts)
        while True:
            try:
                return await attempt
            except MLCommonsError as error:
                if not _passes(error):
                    raise
                self._check_patience(error)
                attempt = self._again(texts, error, delays)

    async def _once(self, texts: list[str]) -> Vectors | Sparse:
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
