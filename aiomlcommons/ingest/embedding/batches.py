"""A batch through the model: what is known already left out, what fails halved, or given up with a reason."""

from __future__ import annotations

from typing import Any

import anyio
import attrs
import numpy as np

from aiomlcommons.errors import ApiError, InvalidRequest, MLCommonsError
from aiomlcommons.inference.vectors import Vectors
from aiomlcommons.ingest.embedding._model_check import ModelCheck
from aiomlcommons.ingest.embedding.cache import Cache, MemoryCache
from aiomlcommons.ingest.embedding.requests import ModelRequests
from aiomlcommons.ingest.errors import ModelFails
from aiomlcommons.ingest.rows.batch_size import BatchSize
from aiomlcommons.ingest.rows.batching import Batch
from aiomlcommons.ingest.state.dead_letters import DeadLetter
from aiomlcommons.ingest.stats import Stats
from aiomlcommons.ingest.types import Sparse


@attrs.frozen
class EmbeddedBatch:
    """The documents of a batch that have vectors, and the letters of those that have none."""

    batch: Batch
    vectors: Vectors | Sparse
    dead_letters: list[DeadLetter]


@attrs.define
class BatchEmbedder:
    """Gives batches their vectors: those that are known already, and those that it asks for."""

    ask: ModelRequests
    stats: Stats
    sizes: BatchSize = attrs.field(factory=BatchSize)
    cache: Cache = attrs.field(factory=MemoryCache)
    _doubt: ModelCheck = attrs.field(init=False)
    _answers: int = attrs.field(init=False, default=-1)
    _pending: dict[str, anyio.Event] = attrs.field(factory=dict)

    def __attrs_post_init__(self) -> None:
        self._doubt = ModelCheck(self.ask)

    async def __call__(self, batch: Batch) -> EmbeddedBatch:
        """The batch with its vectors. Raises JobStalled, ModelFails, CacheError, and what is fatal."""
        wanted = list(dict.fromkeys(batch.texts))
        found: dict[str, Any] = {}
        why: dict[str, str] = {}
        asked = 0
        while wanted:
            found |= await self.cache.find(wanted)
            wanted = [text for text in wanted if text not in found]
            mine = [text for text in wanted if text not in self._pending]
            others = [(text, self._pending[text]) for text in wanted if text in self._pending]
            asked += await self._embed(mine, found, why)
            # What another batch has asked for meanwhile is in the cache then, unless it failed.
            for _, answered in others:
                await answered.wait()
            wanted = [text for text, _ in others]
        predicted = _assembled(batch, found, why)
        self.stats.reused += len(predicted.batch) - asked
        return predicted

    async def _embed(self, texts: list[str], found: dict[str, Any], why: dict[str, str]) -> int:
        """Embed texts that no other batch is asking for; return how many were."""
        if not texts:
            return 0
        new: dict[str, Any] = {}
        answered = anyio.Event()
        self._pending |= dict.fromkeys(texts, answered)
        try:
            for part in self.sizes.parts(texts):
                await self._divide(texts[part], new, why)
            await self.cache.keep(new)
        finally:
            for text in texts:
                del self._pending[text]
            answered.set()
        found |= new
        return len(new)

    async def _divide(self, texts: list[str], found: dict[str, Any], why: dict[str, str]) -> bool:
        """Embed texts, and say whether all were. Where they fail together they are halved: the poisoned stand alone."""
        try:
            await self._ask(texts, found)
        except MLCommonsError as error:
            if self.ask.is_fatal(error):
                raise
            if len(texts) == 1:
                return await self._judge(texts[0], found, why, error)
            if not _is_theirs(error) and self._fails_again() and await self._doubt.settled(error):
                return await self._divide(texts, found, why)
            return await self._halve(texts, found, why, error)
        return True

    def _fails_again(self) -> bool:
        """Whether the model answered nobody since it failed before: halving would ask still more of it."""
        before, self._answers = self._answers, self.ask.answers
        return before == self.ask.answers

    async def _ask(self, texts: list[str], found: dict[str, Any]) -> None:
        found.update(zip(texts, await self.ask(texts), strict=True))
        self.stats.embedded += len(texts)

    async def _judge(self, text: str, found: dict[str, Any], why: dict[str, str], error: MLCommonsError) -> bool:
        """A text fails alone. Give it up only if it fails again after a harmless one was embedded."""
        while True:
            waited = await self._doubt.settled(error)
            try:
                await self._ask([text], found)
            except MLCommonsError as another:
                if self.ask.is_fatal(another):
                    raise
                error = another
                if not waited:
                    why[text] = f"{type(error).__name__}: {error}"
                    return False
            else:
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


def _is_theirs(error: MLCommonsError) -> bool:
    """Whether it is surely the texts' fault: they are too large, or none."""
    return isinstance(error, InvalidRequest) or (isinstance(error, ApiError) and error.status == 413)


def _assembled(batch: Batch, found: dict[str, Any], why: dict[str, str]) -> EmbeddedBatch:
    if not why:
        return EmbeddedBatch(batch, _stacked([found[text] for text in batch.texts]), batch.dead_letters)
    kept = [i for i, text in enumerate(batch.texts) if text in found]
    dead_letters = [batch.fail(i, why[text]) for i, text in enumerate(batch.texts) if text not in found]
    rest = batch.part(kept)
    rest.settled = [*batch.settled, *(letter.row for letter in dead_letters)]
    rest.deduplicated, rest.skipped = batch.deduplicated, batch.skipped
    return EmbeddedBatch(rest, _stacked([found[text] for text in rest.texts]), [*batch.dead_letters, *dead_letters])


def _stacked(vectors: list[Any]) -> Vectors | Sparse:
    if not (vectors and isinstance(vectors[0], np.ndarray)):
        return vectors
    dimensions = {len(vector) for vector in vectors}
    if len(dimensions) > 1:
        raise ModelFails(f"the model, or the cache, gives vectors of different dimensions: {sorted(dimensions)}")
    return np.array(vectors)
