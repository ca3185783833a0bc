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
from aiomlcommons.ingest.cache import Cache, Recent
from aiomlcommons.ingest.dead_letter import Letter
from aiomlcommons.ingest.embedder import Embed
from aiomlcommons.ingest.limiter import Limiter, Slot
from aiomlcommons.ingest.preparing import Batch
from aiomlcommons.ingest.rate import Rate
from aiomlcommons.ingest.sizes import Sizes
from aiomlcommons.ingest.stats import Stats
from aiomlcommons.ingest.types import Sparse
from aiomlcommons.vectors import Vectors

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
    sizes: Sizes = attrs.field(factory=Sizes)
    cache: Cache = attrs.field(factory=Recent)
    rate: Rate | None = None
    clock: Callable[[], float] = anyio.current_time
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep
    _pending: dict[str, anyio.Event] = attrs.field(factory=dict)
    _silent: float | None = None
    _probing: anyio.Lock = attrs.field(factory=anyio.Lock)

    async def __call__(self, batch: Batch) -> Predicted:
        """The batch with its vectors. Raises JobStalled, ModelFails, CacheError, and what is FATAL."""
        wanted = list(dict.fromkeys(batch.texts))
        found: dict[str, Any] = {}
        why: dict[str, str] = {}
        asked = 0
        while wanted:
            found |= await self.cache.find(wanted)
            wanted = [text for text in wanted if text not in found]
            mine = [text for text in wanted if text not in self._pending]
            others = [(text, self._pending[text]) for text in wanted if text in self._pending]
            asked += await self._ask(mine, found, why)
            # What another batch has asked for meanwhile is in the cache then, unless it failed.
            for _, answered in others:
                await answered.wait()
            wanted = [text for text, _ in others]
        predicted = _assembled(batch, found, why)
        self.stats.reused += len(predicted.batch) - asked
        return predicted

    async def _ask(self, texts: list[str], found: dict[str, Any], why: dict[str, str]) -> int:
        """Embed texts that no other batch is asking for; return how many were."""
        if not texts:
            return 0
        new: dict[str, Any] = {}
        answered = anyio.Event()
        self._pending |= dict.fromkeys(texts, answered)
        try:
            for part in self.sizes.parts(texts):
                await self._divide(texts[part], new, why)
            if not new:
                await self._doubt(why)
            await self.cache.keep(new)
        finally:
            for text in texts:
                del self._pending[text]
            answered.set()
        found |= new
        return len(new)

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

    async def _divide(self, texts: list[str], found: dict[str, Any], why: dict[str, str]) -> bool:
        """Embed texts, and say whether all were. Where they fail together they are halved: the poisoned stand alone."""
        try:
            vectors = await self._sent(texts)
        except MLCommonsError as error:
            if isinstance(error, (JobStalled, *FATAL)):
                raise
            if len(texts) == 1:
                why[texts[0]] = f"{type(error).__name__}: {error}"
                return False
            return await self._halve(texts, found, why, error)
        found.update(zip(texts, vectors, strict=True))
        self.stats.embedded += len(texts)
        return True

    async def _halve(self, texts: list[str], found: dict[str, Any], why: dict[str, str], error: MLCommonsError) -> bool:
        status = error.status if isinstance(error, ApiError) else None
        if status == 413:
            self.sizes.too_large(texts)
        half = (len(texts) + 1) // 2
        first = await self._divide(texts[:half], found, why)
        second = await self._divide(texts[half:], found, why)
        if first and second and status == 400:
            # Nothing was wrong with any of them, so there were too many: providers have limits of their own.
            self.sizes.too_many(len(texts))
        return first and second

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


def _assembled(batch: Batch, found: dict[str, Any], why: dict[str, str]) -> Predicted:
    if not why:
        return Predicted(batch, _stacked([found[text] for text in batch.texts]), batch.letters)
    kept = [i for i, text in enumerate(batch.texts) if text in found]
    letters = [batch.fail(i, why[text]) for i, text in enumerate(batch.texts) if text not in found]
    rest = batch.part(kept)
    rest.settled = [*batch.settled, *(letter.row for letter in letters)]
    rest.deduplicated, rest.skipped = batch.deduplicated, batch.skipped
    return Predicted(rest, _stacked([found[text] for text in rest.texts]), [*batch.letters, *letters])


def _stacked(vectors: list[Any]) -> Vectors | Sparse:
    if not (vectors and isinstance(vectors[0], np.ndarray)):
        return vectors
    dimensions = {len(vector) for vector in vectors}
    if len(dimensions) > 1:
        raise ModelFails(f"the model, or the cache, gives vectors of different dimensions: {sorted(dimensions)}")
    return np.array(vectors)
