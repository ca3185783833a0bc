"""Embedding of a column of texts, for workers of Ray and of Spark alike."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any, TypedDict

import attrs
import numpy as np

from aiomlcommons.concurrency import fan_out
from aiomlcommons.errors import MLCommonsError
from aiomlcommons.inference.methods import Side
from aiomlcommons.inference.vectors import Vectors
from aiomlcommons.ingest.assembly import embedder_of
from aiomlcommons.ingest.embedding.batches import BatchEmbedder, EmbeddedBatch
from aiomlcommons.ingest.embedding.model import job_model
from aiomlcommons.ingest.embedding.model_check import HARMLESS
from aiomlcommons.ingest.options import JobOptions
from aiomlcommons.ingest.pacing.rate_limit import about_tokens
from aiomlcommons.ingest.rows.batching import Batch
from aiomlcommons.ingest.stats import Stats
from aiomlcommons.ingest.types import Sparse
from aiomlcommons.integrations._actors import Worker, session_of
from aiomlcommons.integrations._columns import Columns, OnError, check_on_error, column, with_reasons, with_vectors
from aiomlcommons.integrations.errors import RowsFailed
from aiomlcommons.lifecycle.ensure import ensure
from aiomlcommons.lifecycle.spec import Spec


class EmbedOptions(TypedDict, total=False):
    """The options of ``EmbedColumn``, beside the model and the URL."""

    text: str
    output: str
    id: str | None
    on_error: OnError
    error: str
    batch: int
    concurrency: int | tuple[int, int]
    requests_per_minute: float | None
    tokens_per_minute: float | None
    count_tokens: Callable[[str], int]
    content_type: Side | None
    retry_budget: float
    stall_timeout: float
    redeploy: bool
    session: Mapping[str, Any] | None


@attrs.frozen
class Found:
    """The vectors of those rows of a batch that have one, in their order, and by its number why each other has none."""

    vectors: Vectors | Sparse
    reasons: dict[int, str]


class EmbedColumn(Worker[Batch, Found]):
    """The base of callable objects that add a column of vectors to a batch; ``ray.Embed`` documents the options.

    Attributes:
        output: The column of vectors.
        error: The column of reasons, None if rows that fail are an error.
    """

    def __init__(
        self,
        model: Spec | str,
        url: str | None = None,
        *,
        text: str = "text",
        output: str = "embedding",
        id: str | None = None,
        on_error: OnError = "raise",
        error: str = "error",
        batch: int = 64,
        concurrency: int | tuple[int, int] = (1, 16),
        requests_per_minute: float | None = None,
        tokens_per_minute: float | None = None,
        count_tokens: Callable[[str], int] = about_tokens,
        content_type: Side | None = None,
        retry_budget: float = 100.0,
        stall_timeout: float = 600.0,
        redeploy: bool = True,
        session: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        check_on_error(on_error, error, text, output, *([] if id is None else [id]))
        self._text, self._id = text, id
        self.output, self.error = output, error if on_error == "column" else None
        options = JobOptions(
            batch=batch,
            concurrency=concurrency,
            requests_per_minute=requests_per_minute,
            tokens_per_minute=tokens_per_minute,
            count_tokens=count_tokens,
            content_type=content_type,
            retry_budget=retry_budget,
            stall_timeout=stall_timeout,
            redeploy=redeploy,
        )
        self._how = _How(model, url, options, dict(session or {}))

    def __call__(self, batch: Columns) -> Columns:
        """Embed the batch; return it with its vectors, in the same order."""
        texts = column(batch, self._text)
        ids = [""] * len(texts) if self._id is None else list(map(str, column(batch, self._id)))
        if not texts:
            return batch
        found = self._found(texts, ids)
        done = with_vectors(batch, self.output, found.vectors, found.reasons)
        return done if self.error is None else with_reasons(done, self.error, found.reasons)

    def _found(self, texts: Sequence[Any], ids: Sequence[str]) -> Found:
        """Embed the texts. Raises RowsFailed with all that failed, unless they are wanted as a column."""
        wrong = {
            row: f"its text must be a string, not {type(text).__name__}"
            for row, text in enumerate(texts)
            if not isinstance(text, str)
        }
        if wrong and self.error is None:
            raise RowsFailed.of(wrong, ids)  # before anything is sent, and may cost
        rows = [row for row in range(len(texts)) if row not in wrong]
        found = self._run(Batch(0, rows, [ids[row] for row in rows], [{}] * len(rows), [texts[row] for row in rows]))
        if found.reasons and self.error is None:
            raise RowsFailed.of(found.reasons, ids)
        return Found(found.vectors, {**wrong, **found.reasons})

    def _working(self) -> AbstractAsyncContextManager[Callable[[Batch], Awaitable[Found]]]:
        return _embedding(self._how)

    def __repr__(self) -> str:
        name = type(self).__name__
        return f"{name}({self._how.model!r}, {self._how.url!r}, text={self._text!r}, output={self.output!r})"


# ---- on the event loop of the session ------------------------------------------------------------------------------


@attrs.frozen
class _How:
    """The picklable options of ``EmbedColumn``."""

    model: Spec | str
    url: str | None
    options: JobOptions
    session: dict[str, Any] = attrs.field(repr=False)  # a password may be in it


@asynccontextmanager
async def _embedding(how: _How) -> AsyncGenerator[Callable[[Batch], Awaitable[Found]]]:
    """Open a session; give a function that embeds batches with it."""
    options = how.options
    async with session_of(how.url, how.session) as session:
        ml = session.options(wait=options.stall_timeout)
        ensured = await ensure(ml, how.model)
        model = await job_model(ml, ensured.model_id, content_type=options.content_type, redeploy=options.redeploy)
        yield partial(_embed, embedder_of(model, options, Stats()), options)


async def _embed(embedder: BatchEmbedder, options: JobOptions, documents: Batch) -> Found:
    """Embed a batch in parts. Raises RowsFailed with the rows of a request that fails for no fault of theirs."""

    async def parts() -> AsyncGenerator[Batch]:
        for start in range(0, len(documents), options.batch):
            yield documents.part(range(len(documents))[start : start + options.batch])

    most = options.concurrency if isinstance(options.concurrency, int) else options.concurrency[1]
    async with fan_out(partial(_embed_part, embedder), parts(), concurrency=most, ordered=True) as results:
        done = [embedded async for embedded in results]
    reasons = {letter.row: letter.why for embedded in done for letter in embedded.dead_letters}
    return Found(_joined([one.vectors for one in done if len(one.batch)] or [await _none(embedder)]), reasons)


async def _embed_part(embedder: BatchEmbedder, part: Batch) -> EmbeddedBatch:
    try:
        return await embedder(part)
    except MLCommonsError as error:
        raise RowsFailed(part.numbers, part.ids, f"{type(error).__name__}: {error}") from error


async def _none(embedder: BatchEmbedder) -> Vectors | Sparse:
    """Return no vectors, of the model's kind and dimension, which a column has even where each row of it is null."""
    return (await _embed_part(embedder, Batch(0, [0], [""], [{}], [HARMLESS]))).vectors[:0]


def _joined(parts: Sequence[Vectors | Sparse]) -> Vectors | Sparse:
    dense = [part for part in parts if not isinstance(part, list)]
    if dense:
        return np.concatenate(dense).astype(np.float32, copy=False)
    return [weights for part in parts if isinstance(part, list) for weights in part]
