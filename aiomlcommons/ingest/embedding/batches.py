"""Embedding of batches: cached texts are not sent, a failing batch is bisected down to its poison documents."""

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
    """The documents of a batch that have vectors, in ``batch``, and the dead letters of the others."""

    batch: Batch
    vectors: Vectors | Sparse
    dead_letters: list[DeadLetter]


@attrs.define
class BatchEmbedder:
    """Embeds batches, each distinct text once: concurrent batches with a text in common share it (single-flight).

    ``requests`` sends texts to the model, ``sizes`` bounds its requests, ``cache`` has the vectors known before.
    """

    requests: ModelRequests
    stats: Stats
    sizes: BatchSize = attrs.field(factory=BatchSize)
    cache: Cache = attrs.field(factory=MemoryCache)
    _check: ModelCheck = attrs.field(init=False)
    _successes: int = attrs.field(init=False, default=-1)
    _pending: dict[str, anyio.Event] = attrs.field(factory=dict)

    def __attrs_post_init__(self) -> None:
        self._check = ModelCheck(self.requests)

    async def __call__(self, batch: Batch) -> EmbeddedBatch:
        """Return the batch with its vectors. Raises JobStalled, ModelFails, CacheError, and fatal errors."""
        wanted = list(dict.fromkeys(batch.texts))
        found: dict[str, Any] = {}
        reasons: dict[str, str] = {}
        newly_embedded = 0
        while wanted:
            found |= await self.cache.find(wanted)
            wanted = [text for text in wanted if text not in found]
            claimed = [text for text in wanted if text not in self._pending]
            pending = [(text, self._pending[text]) for text in wanted if text in self._pending]
            newly_embedded += await self._embed(claimed, found, reasons)
            # Texts that another batch is embedding are in the cache afterwards, unless they failed there.
            for _, finished in pending:
                await finished.wait()
            wanted = [text for text, _ in pending]
        embedded = _assemble(batch, found, reasons)
        self.stats.reused += len(embedded.batch) - newly_embedded
        return embedded

    async def _embed(self, texts: list[str], found: dict[str, Any], reasons: dict[str, str]) -> int:
        """Embed texts that no other batch is embedding; return how many succeeded."""
        if not texts:
            return 0
        new: dict[str, Any] = {}
        finished = anyio.Event()
        self._pending |= dict.fromkeys(texts, finished)
        try:
            for part in self.sizes.parts(texts):
                await self._embed_or_bisect(texts[part], new, reasons)
            await self.cache.keep(new)
        finally:
            for text in texts:
                del self._pending[text]
            finished.set()
        found |= new
        return len(new)

    async def _embed_or_bisect(self, texts: list[str], found: dict[str, Any], reasons: dict[str, str]) -> bool:
        """Embed texts; return whether all succeeded. Bisects a failing request to isolate poison documents."""
        try:
            await self._request(texts, found)
        except MLCommonsError as error:
            if self.requests.is_fatal(error):
                raise
            if len(texts) == 1:
                return await self._recheck(texts[0], found, reasons, error)
            if not _is_texts_fault(error) and self._failed_since_success() and await self._check.settled(error):
                return await self._embed_or_bisect(texts, found, reasons)
            return await self._bisect(texts, found, reasons, error)
        return True

    def _failed_since_success(self) -> bool:
        """Return whether no request succeeded since the last failure: bisecting would add load to a likely outage."""
        previous, self._successes = self._successes, self.requests.successes
        return previous == self._successes

    async def _request(self, texts: list[str], found: dict[str, Any]) -> None:
        found.update(zip(texts, await self.requests(texts), strict=True))
        self.stats.embedded += len(texts)

    async def _recheck(self, text: str, found: dict[str, Any], reasons: dict[str, str], error: MLCommonsError) -> bool:
        """Retry a text that failed alone; give it up only if it fails again right after a harmless text succeeded."""
        while True:
            was_out_of_order = await self._check.settled(error)
            try:
                await self._request([text], found)
            except MLCommonsError as latest:
                if self.requests.is_fatal(latest):
                    raise
                error = latest
                if not was_out_of_order:
                    reasons[text] = f"{type(error).__name__}: {error}"
                    return False
            else:
                return True

    async def _bisect(
        self, texts: list[str], found: dict[str, Any], reasons: dict[str, str], error: MLCommonsError
    ) -> bool:
        status = error.status if isinstance(error, ApiError) else None
        if status == 413:
            self.sizes.too_large(texts)
        half = (len(texts) + 1) // 2
        first = await self._embed_or_bisect(texts[:half], found, reasons)
        second = await self._embed_or_bisect(texts[half:], found, reasons)
        if first and second and status == 400:
            # Each text succeeded in a smaller request, so there were too many: providers have limits of their own.
            self.sizes.too_many(len(texts))
        return first and second


def _is_texts_fault(error: MLCommonsError) -> bool:
    """Return whether the texts are certainly to blame: invalid, or too large together."""
    return isinstance(error, InvalidRequest) or (isinstance(error, ApiError) and error.status == 413)


def _assemble(batch: Batch, found: dict[str, Any], reasons: dict[str, str]) -> EmbeddedBatch:
    if not reasons:
        return EmbeddedBatch(batch, _stack([found[text] for text in batch.texts]), batch.dead_letters)
    kept = [i for i, text in enumerate(batch.texts) if text in found]
    dead_letters = [batch.fail(i, reasons[text]) for i, text in enumerate(batch.texts) if text not in found]
    rest = batch.part(kept)
    rest.settled = [*batch.settled, *(dead_letter.row for dead_letter in dead_letters)]
    rest.deduplicated, rest.skipped = batch.deduplicated, batch.skipped
    return EmbeddedBatch(rest, _stack([found[text] for text in rest.texts]), [*batch.dead_letters, *dead_letters])


def _stack(vectors: list[Any]) -> Vectors | Sparse:
    if not (vectors and isinstance(vectors[0], np.ndarray)):
        return vectors
    dimensions = {len(vector) for vector in vectors}
    if len(dimensions) > 1:
        raise ModelFails(f"the model or the cache returned vectors of different dimensions: {sorted(dimensions)}")
    return np.array(vectors)
