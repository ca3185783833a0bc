"""Embedding of batches: cached texts are not sent, a failing batch is bisected down to its poison documents."""

from __future__ import annotations

from functools import partial
from typing import Any, Protocol

import anyio
import attrs

from aiomlcommons.errors import ApiError, DecodeError, InvalidRequest, MLCommonsError, words_of
from aiomlcommons.inference.vectors import Vectors
from aiomlcommons.ingest.embedding._found_vectors import FoundVectors
from aiomlcommons.ingest.embedding._vector_check import VectorCheck
from aiomlcommons.ingest.embedding.cache import Cache, MemoryCache
from aiomlcommons.ingest.embedding.model_check import HARMLESS, ModelCheck
from aiomlcommons.ingest.embedding.paced import PacedRequests
from aiomlcommons.ingest.embedding.requests import ModelRequests
from aiomlcommons.ingest.errors import BadVector
from aiomlcommons.ingest.rows.batch_size import BatchSize
from aiomlcommons.ingest.rows.batching import Batch
from aiomlcommons.ingest.state.dead_letters import DeadLetter
from aiomlcommons.ingest.stats import Stats
from aiomlcommons.ingest.types import Sparse
from aiomlcommons.trouble.kinds import Kind


@attrs.frozen
class EmbeddedBatch:
    """The documents of a batch that have vectors, in ``batch``, and the dead letters of the others."""

    batch: Batch
    vectors: Vectors | Sparse
    dead_letters: list[DeadLetter]


@attrs.frozen
class WrittenBatch:
    """The documents of a batch that the server has embedded and written itself, and the dead letters of the others."""

    batch: Batch
    dead_letters: list[DeadLetter]


class Embedder(Protocol):
    """Embeds batches."""

    @property
    def dimension(self) -> int | None:
        """The dimension of the vectors, if known."""
        ...

    @property
    def requests(self) -> PacedRequests[Any, Any]:
        """What sends the requests."""
        ...

    async def __call__(self, batch: Batch) -> EmbeddedBatch | WrittenBatch:
        """Return the batch with its vectors, or as the server has embedded and written it."""
        ...


@attrs.define
class _Flight:
    """Texts that a batch is embedding. Few are waited for, so that the event is made only then."""

    _finished: anyio.Event | None = None

    @property
    def finished(self) -> anyio.Event:
        if self._finished is None:
            self._finished = anyio.Event()
        return self._finished

    def end(self) -> None:
        if self._finished is not None:
            self._finished.set()


@attrs.define
class BatchEmbedder:
    """Embeds batches, each distinct text once: concurrent batches with a text in common share it (single-flight).

    ``requests`` sends texts to the model, ``sizes`` bounds its requests, ``cache`` has the vectors known before.
    """

    requests: ModelRequests
    stats: Stats
    sizes: BatchSize = attrs.field(factory=BatchSize)
    cache: Cache = attrs.field(factory=MemoryCache)
    _vectors: VectorCheck = attrs.field(init=False)
    _check: ModelCheck = attrs.field(init=False)
    _successes: int = attrs.field(init=False, default=-1)
    _pending: dict[str, _Flight] = attrs.field(factory=dict)

    def __attrs_post_init__(self) -> None:
        self._vectors = VectorCheck(self._harmless_vector)
        self._check = ModelCheck(self.requests, partial(self.requests.probe, [HARMLESS]), self._vectors.verify)

    @property
    def dimension(self) -> int | None:
        """The dimension of the model's vectors, if known."""
        return self._vectors.dimension

    @dimension.setter
    def dimension(self, dimension: int | None) -> None:
        self._vectors.dimension = dimension

    async def __call__(self, batch: Batch) -> EmbeddedBatch:
        """Return the batch with its vectors. Raises JobStalled, ModelFails, CacheError, and fatal errors."""
        wanted = list(dict.fromkeys(batch.texts))
        found = FoundVectors()
        reasons: dict[str, str] = {}
        newly_embedded = 0
        while wanted:
            if cached := await self.cache.find(wanted):
                fitting = await self._vectors.fitting(cached)
                found.add(list(fitting), list(fitting.values()))
                wanted = [text for text in wanted if text not in fitting]
            pending: dict[str, anyio.Event] = {}
            if not self._pending.keys().isdisjoint(wanted):
                pending = {text: self._pending[text].finished for text in wanted if text in self._pending}
            claimed = [text for text in wanted if text not in pending] if pending else wanted
            newly_embedded += await self._embed(claimed, found, reasons)
            # Texts that another batch is embedding are in the cache afterwards, unless they failed there.
            for finished in pending.values():
                await finished.wait()
            wanted = list(pending)
        embedded = _assemble(batch, found, reasons)
        self.stats.reused += len(embedded.batch) - newly_embedded
        return embedded

    async def _embed(self, texts: list[str], found: FoundVectors, reasons: dict[str, str]) -> int:
        """Embed texts that no other batch is embedding; return how many succeeded."""
        if not texts:
            return 0
        new = FoundVectors()
        flight = _Flight()
        self._pending.update(dict.fromkeys(texts, flight))
        try:
            for part in self.sizes.parts(texts):
                await self._embed_or_bisect(texts[part], new, reasons)
            if succeeded := new.texts:
                await self.cache.keep(succeeded, new.of(succeeded))
        finally:
            for text in texts:
                del self._pending[text]
            flight.end()
        found.update(new)
        return len(succeeded)

    async def _embed_or_bisect(self, texts: list[str], found: FoundVectors, reasons: dict[str, str]) -> bool:
        """Embed texts; return whether all succeeded. Bisects a failing request to isolate poison documents."""
        try:
            await self._request(texts, found)
        except MLCommonsError as error:
            if self.requests.is_fatal(error):
                raise
            if len(texts) == 1:
                return await self._give_up(texts[0], found, reasons, error)
            if not _may_be_texts_fault(error) and self._failed_since_success() and await self._check.settled(error):
                return await self._embed_or_bisect(texts, found, reasons)
            return await self._bisect(texts, found, reasons, error)
        return True

    def _failed_since_success(self) -> bool:
        """Return whether no request succeeded since the last failure: bisecting would add load to a likely outage."""
        previous, self._successes = self._successes, self.requests.successes
        return previous == self._successes

    async def _request(self, texts: list[str], found: FoundVectors) -> None:
        vectors = await self.requests(texts)
        await self._vectors(vectors)
        found.add(texts, vectors)
        self.stats.embedded += len(texts)

    async def _harmless_vector(self) -> Vectors | Sparse | None:
        try:
            return await self.requests([HARMLESS])
        except MLCommonsError as error:
            if self.requests.is_fatal(error):
                raise
            return None

    async def _give_up(self, text: str, found: FoundVectors, reasons: dict[str, str], error: MLCommonsError) -> bool:
        """Give up a text that failed alone; if it may not be to blame, only if it fails again.

        That must be right after a harmless text succeeded.
        """
        while not _is_texts_fault(error):
            was_out_of_order = await self._check.settled(error)
            try:
                await self._request([text], found)
            except MLCommonsError as latest:
                if self.requests.is_fatal(latest):
                    raise
                error = latest
                if not was_out_of_order:
                    break
            else:
                return True
        reasons[text] = f"{type(error).__name__}: {words_of(error)}"
        return False

    async def _bisect(
        self, texts: list[str], found: FoundVectors, reasons: dict[str, str], error: MLCommonsError
    ) -> bool:
        first, second = _split(texts, error)
        first_succeeded = await self._embed_or_bisect(first, found, reasons)
        succeeded = await self._embed_or_bisect(second, found, reasons) and first_succeeded
        if succeeded and isinstance(error, ApiError):
            # Each text succeeded in a smaller request, so there were too many: providers have limits of their own.
            if error.status == 413:
                self.sizes.too_large(texts)
            elif error.status == 400 or error.trouble.kind is Kind.TOO_LONG:
                self.sizes.too_many(len(texts))
        return succeeded


def _split(texts: list[str], error: MLCommonsError) -> tuple[list[str], list[str]]:
    """Return the texts in two parts: halves, or all others and the one whose vector is known to be at fault."""
    if isinstance(error, DecodeError) and error.index is not None:
        return [*texts[: error.index], *texts[error.index + 1 :]], [texts[error.index]]
    half = (len(texts) + 1) // 2
    return texts[:half], texts[half:]


def _is_texts_fault(error: MLCommonsError) -> bool:
    """Return whether a text that failed alone is certainly to blame: its content, or its length."""
    return isinstance(error, ApiError) and error.trouble.is_texts_fault


def _may_be_texts_fault(error: MLCommonsError) -> bool:
    """Return whether the model works, but not for these texts: they are invalid, or too large together."""
    return isinstance(error, InvalidRequest | BadVector) or _is_texts_fault(error)


def _assemble(batch: Batch, found: FoundVectors, reasons: dict[str, str]) -> EmbeddedBatch:
    if not reasons:
        return EmbeddedBatch(batch, found.of(batch.texts), batch.dead_letters)
    kept = [i for i, text in enumerate(batch.texts) if text not in reasons]
    dead_letters = [batch.fail(i, reasons[text]) for i, text in enumerate(batch.texts) if text in reasons]
    rest = batch.part(kept)
    rest.settled = [*batch.settled, *(dead_letter.row for dead_letter in dead_letters)]
    rest.deduplicated, rest.skipped = batch.deduplicated, batch.skipped
    return EmbeddedBatch(rest, found.of(rest.texts), [*batch.dead_letters, *dead_letters])
