"""Batches for a server that embeds: each document is indexed, or stands alone before it is given up."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import attrs

from aiomlcommons.errors import ApiError, MLCommonsError, words_of
from aiomlcommons.ingest.embedding.batches import WrittenBatch
from aiomlcommons.ingest.embedding.model_check import ModelCheck
from aiomlcommons.ingest.rows.batch_size import BatchSize
from aiomlcommons.ingest.rows.batching import Batch
from aiomlcommons.ingest.server_side.requests import Pending, PipelineRequests
from aiomlcommons.ingest.sinks.index_pipeline import PipelineBulk
from aiomlcommons.ingest.types import Row
from aiomlcommons.trouble.kinds import Kind, Party

# The mapping refuses a document for what is in it, which says nothing about its neighbours.
ITS_OWN = {"mapper_parsing_exception", "strict_dynamic_mapping_exception"}


@attrs.define
class PipelineEmbedder:
    """Has the server embed and index batches. One that fails is bisected, as a pipeline fails for neighbours too.

    ``rows_as`` returns rows as the sink takes them; ``sizes`` bounds the requests. The dimension of the vectors is the
    server's business.
    """

    requests: PipelineRequests
    bulk: PipelineBulk
    sizes: BatchSize
    rows_as: Callable[[Sequence[Row]], Sequence[Row]]
    dimension: int | None = None
    _check: ModelCheck = attrs.field(init=False)
    _successes: int = attrs.field(init=False, default=-1)

    def __attrs_post_init__(self) -> None:
        self._check = ModelCheck(self.requests, self.requests.embed_harmless)

    async def __call__(self, batch: Batch) -> WrittenBatch:
        """Return the documents that were indexed, and the dead letters. Raises JobStalled, ModelFails, fatal errors."""
        actions, refused = self.bulk.encoded(batch.ids, self.rows_as(batch.rows))
        reasons = {one.index: one.why for one in refused}
        pending = Pending(actions, [batch.texts[i] for i in actions.indices])
        async with self.requests.turn(pending):
            for part in self.sizes.parts(pending.texts):
                await self._deliver(pending.chosen(range(len(pending))[part]), reasons)
        return _settled(batch, reasons)

    async def _deliver(self, pending: Pending, reasons: dict[int, str]) -> bool:
        """Send documents until each is accepted or given up; return whether all were accepted."""
        while pending:
            try:
                await self.requests(pending)
            except MLCommonsError as failure:
                if self.requests.is_fatal(failure):
                    raise
                pending.fail(failure)
        accepted = True
        for part, error in pending.failed:
            accepted = await self._examine(part, error, reasons) and accepted
        return accepted

    async def _examine(self, part: Pending, error: MLCommonsError, reasons: dict[int, str]) -> bool:
        """Find the documents that are to blame, among those that failed together."""
        if isinstance(error, ApiError) and error.type in ITS_OWN:
            reasons.update(dict.fromkeys(part.indices, _words(error)))
            return False
        if len(part) == 1:
            return await self._give_up(part, error, reasons)
        unclear = isinstance(error, ApiError) and not _is_documents_fault(error)
        if unclear and self._failed_since_success() and await self._check.settled(error):
            return await self._deliver(part, reasons)
        return await self._bisect(part, error, reasons)

    def _failed_since_success(self) -> bool:
        """Return whether no request succeeded since the last failure: bisecting would add load to a likely outage."""
        previous, self._successes = self._successes, self.requests.successes
        return previous == self._successes

    async def _bisect(self, part: Pending, error: MLCommonsError, reasons: dict[int, str]) -> bool:
        half, everything = (len(part) + 1) // 2, range(len(part))
        first = await self._deliver(part.chosen(everything[:half]), reasons)
        accepted = await self._deliver(part.chosen(everything[half:]), reasons) and first
        if accepted and isinstance(error, ApiError):
            # Each document was accepted in a smaller request, so there were too many: of bytes, or of texts.
            if error.status == 413:
                self.sizes.too_large(part.texts)
            elif error.status == 400 or error.trouble.kind is Kind.TOO_LONG:
                self.sizes.too_many(len(part))
        return accepted

    async def _give_up(self, alone: Pending, error: MLCommonsError, reasons: dict[int, str]) -> bool:
        """Give up a document that failed alone; if it may not be to blame, only if it fails again.

        That must be right after the models embedded a harmless text.
        """
        while not _is_documents_fault(error):
            was_out_of_order = await self._check.settled(error)
            again = alone.chosen(range(1))
            try:
                await self.requests(again)
            except MLCommonsError as latest:
                if self.requests.is_fatal(latest):
                    raise
                again.fail(latest)
            if not again.failed:
                return True
            error = again.failed[0][1]
            if not was_out_of_order:
                break
        reasons[alone.indices[0]] = _words(error)
        return False


def _is_documents_fault(error: MLCommonsError) -> bool:
    """Return whether a document that failed alone is certainly to blame.

    A provider may refuse texts for reasons of its own, and the server may fail; what the cluster says is invalid is so.
    """
    if not isinstance(error, ApiError):
        return False
    trouble = error.trouble
    refused = trouble.kind is Kind.FINAL and trouble.party is not Party.PROVIDER and error.status < 500
    return refused or trouble.is_texts_fault


def _words(error: MLCommonsError) -> str:
    return f"{type(error).__name__}: {words_of(error)}"


def _settled(batch: Batch, reasons: dict[int, str]) -> WrittenBatch:
    """Return a batch whose documents are indexed, but for those with reasons."""
    if not reasons:
        return WrittenBatch(batch, batch.dead_letters)
    dead_letters = [batch.fail(i, reasons[i]) for i in sorted(reasons)]
    rest = batch.part(i for i in range(len(batch)) if i not in reasons)
    rest.settled = [*batch.settled, *(dead_letter.row for dead_letter in dead_letters)]
    rest.deduplicated, rest.skipped = batch.deduplicated, batch.skipped
    return WrittenBatch(rest, [*batch.dead_letters, *dead_letters])
