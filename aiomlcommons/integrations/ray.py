"""Embedding and indexing on Ray: callable classes for ``map_batches`` of Ray Data."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any, TypeAlias

import attrs

from aiomlcommons.concurrency import fan_out
from aiomlcommons.errors import MLCommonsError
from aiomlcommons.inference.methods import Side
from aiomlcommons.inference.vectors import Vectors
from aiomlcommons.ingest.assembly import embedder_of
from aiomlcommons.ingest.embedding.batches import BatchEmbedder
from aiomlcommons.ingest.embedding.model import job_model
from aiomlcommons.ingest.options import JobOptions
from aiomlcommons.ingest.rows.batching import Batch
from aiomlcommons.ingest.sinks import IndexSink
from aiomlcommons.ingest.stats import Stats
from aiomlcommons.ingest.types import Documents, Refused, Sparse
from aiomlcommons.integrations._actors import Worker, session_of
from aiomlcommons.integrations._columns import Columns, check_texts, column, documents_of, with_column, without_column
from aiomlcommons.integrations.errors import RowsFailed
from aiomlcommons.lifecycle.ensure import ensure
from aiomlcommons.lifecycle.spec import Spec

__all__ = ["Embed", "Index", "RowsFailed"]

EmbedPart: TypeAlias = Callable[[Batch], Awaitable["Vectors | Sparse"]]


class Embed(Worker[Batch, "list[Vectors | Sparse]"]):
    """A callable class for ``map_batches`` that adds a column of vectors to the batches of a Ray dataset.

    Pass the class, not an object: Ray makes an object in each actor, which has one session and event loop::

        dataset.map_batches(
            Embed,
            fn_constructor_kwargs={"model": "all-MiniLM-L6-v2", "url": "https://host:9200"},
            batch_format="pyarrow",
            batch_size=1024,
            compute=ray.data.ActorPoolStrategy(size=2),
        )

    With ``batch_format="pyarrow"`` the new column is ``FixedSizeList<float32>``, with ``"numpy"`` a float32 array of
    shape ``(rows, dimension)``. Sparse models give ``map<string, float>``, or lists of
    ``{"token": ..., "weight": ...}``. The session is closed with the actor, or by ``close``. An object can be pickled;
    the copy opens a session of its own.

    Args:
        model: An id, a name or a spec, as ``ml.models.ensure`` takes it; each actor ensures it with its first batch.
        url: The URL of the cluster. Default: that of the actor's environment, as ``Session.from_env`` reads it.
        text: The column of the texts.
        output: The new column of vectors; a column of that name is replaced.
        id: A column that names rows in errors.
        batch: Texts in a request.
        concurrency: Requests at once of an actor: a number, or the two bounds that a limiter finds it between.
        content_type: Tells an asymmetric model whether the texts are a ``query`` or a ``passage``.
        retry_budget: Retries that all requests of an actor together have ahead (a retry token bucket).
        stall_timeout: Seconds without any response after which a batch fails.
        redeploy: Deploy a model again that is gone from the nodes.
        session: Further options of Session.

    Raises:
        InvalidRequest: An option is invalid, or the batch (and so each later one) does not have the column.
        TypeError: The batch has another format.
        RowsFailed: Texts are not strings or cannot be embedded.
        MLCommonsError: As ``ml.models.ensure`` does.
    """

    def __init__(
        self,
        model: Spec | str,
        url: str | None = None,
        *,
        text: str = "text",
        output: str = "embedding",
        id: str | None = None,
        batch: int = 64,
        concurrency: int | tuple[int, int] = (1, 16),
        content_type: Side | None = None,
        retry_budget: float = 100.0,
        stall_timeout: float = 600.0,
        redeploy: bool = True,
        session: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self._text, self._output, self._id = text, output, id
        options = JobOptions(
            batch=batch,
            concurrency=concurrency,
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
        check_texts(texts, ids)
        if not texts:
            return batch
        documents = Batch(0, list(range(len(texts))), ids, [{}] * len(texts), texts)
        return with_column(batch, self._output, self._run(documents))

    def _working(self) -> AbstractAsyncContextManager[Callable[[Batch], Awaitable[list[Vectors | Sparse]]]]:
        return _embedding(self._how)

    def __repr__(self) -> str:
        return f"Embed({self._how.model!r}, {self._how.url!r}, text={self._text!r}, output={self._output!r})"


class Index(Worker[Documents, Sequence[Refused]]):
    """A callable class for ``map_batches`` that writes the batches of a Ray dataset into an OpenSearch index.

    Each actor has one session and event loop::

        dataset.map_batches(Embed, ...).map_batches(
            Index,
            fn_constructor_kwargs={"index": "docs", "url": "https://host:9200", "create": True},
            batch_format="pyarrow",
            compute=ray.data.ActorPoolStrategy(size=1),
        ).count()

    A row becomes a document with all its columns. Writing is idempotent by id: a batch that Ray sends again, because
    its actor died, overwrites its documents. The call returns the batch without its vectors. Searches see the documents
    after a refresh of the index.

    Args:
        index: The name of the index, or an alias with a write index.
        url: The URL of the cluster. Default: that of the actor's environment, as ``Session.from_env`` reads it.
        id: The column of the ids.
        field: The column of the vectors, and the field for them in the index.
        session: Further options of Session.
        **sink: Further options of IndexSink: ``create``, ``sparse``, ``concurrency``, ``stall_timeout``.

    Raises:
        InvalidRequest: The batch does not have the columns, or ``field`` does not hold vectors of one dimension.
        TypeError: The batch has another format.
        SinkError: The index cannot hold the vectors, or accepts no documents.
        RowsFailed: The index refuses these rows; the others of the batch are written.
    """

    def __init__(
        self,
        index: str,
        url: str | None = None,
        *,
        id: str = "id",
        field: str = "embedding",
        session: Mapping[str, Any] | None = None,
        **sink: Any,
    ) -> None:
        super().__init__()
        self._id = id
        self._where = _Where(index, url, field, dict(session or {}), sink)

    def __call__(self, batch: Columns) -> Columns:
        """Write the batch; return it without its vectors."""
        documents = documents_of(batch, self._id, self._where.field)
        refused = self._run(documents) if len(documents) else ()
        if refused:
            rows = [one.index for one in refused]
            raise RowsFailed(rows, [documents.ids[row] for row in rows], refused[0].why)
        return without_column(batch, self._where.field)

    def _working(self) -> AbstractAsyncContextManager[Callable[[Documents], Awaitable[Sequence[Refused]]]]:
        return _indexing(self._where)

    def __repr__(self) -> str:
        return f"Index({self._where.index!r}, {self._where.url!r}, id={self._id!r}, field={self._where.field!r})"


# ---- in the actor -------------------------------------------------------------------------------------------------


@attrs.frozen
class _How:
    """The picklable options of ``Embed``, which documents them."""

    model: Spec | str
    url: str | None
    options: JobOptions
    session: dict[str, Any] = attrs.field(repr=False)  # a password may be in it


@asynccontextmanager
async def _embedding(how: _How) -> AsyncGenerator[Callable[[Batch], Awaitable[list[Vectors | Sparse]]]]:
    """Open a session; give a function that embeds batches with it."""
    options = how.options
    async with session_of(how.url, how.session) as session:
        ml = session.options(wait=options.stall_timeout)
        ensured = await ensure(ml, how.model)
        model = await job_model(ml, ensured.model_id, content_type=options.content_type, redeploy=options.redeploy)
        yield partial(_embed, partial(_embed_part, embedder_of(model, options, Stats())), options)


async def _embed(embed: EmbedPart, options: JobOptions, documents: Batch) -> list[Vectors | Sparse]:
    async def parts() -> AsyncGenerator[Batch]:
        for start in range(0, len(documents), options.batch):
            yield documents.part(range(len(documents))[start : start + options.batch])

    most = options.concurrency if isinstance(options.concurrency, int) else options.concurrency[1]
    async with fan_out(embed, parts(), concurrency=most, ordered=True) as results:
        return [vectors async for vectors in results]


async def _embed_part(embedder: BatchEmbedder, part: Batch) -> Vectors | Sparse:
    """Embed a part of a batch. Raises RowsFailed with the poison rows, or with all rows if the request fails."""
    try:
        embedded = await embedder(part)
    except MLCommonsError as error:
        raise RowsFailed(part.numbers, part.ids, f"{type(error).__name__}: {error}") from error
    if dead_letters := embedded.dead_letters:
        raise RowsFailed([one.row for one in dead_letters], [one.id or "" for one in dead_letters], dead_letters[0].why)
    return embedded.vectors


@attrs.frozen
class _Where:
    """The picklable options of ``Index``, which documents them."""

    index: str
    url: str | None
    field: str
    session: dict[str, Any] = attrs.field(repr=False)  # a password may be in it
    sink: dict[str, Any]


@asynccontextmanager
async def _indexing(where: _Where) -> AsyncGenerator[Callable[[Documents], Awaitable[Sequence[Refused]]]]:
    """Open a session and the index; give a function that writes documents. Refreshes the index at the end."""
    async with session_of(where.url, where.session) as ml:
        sink = IndexSink(ml, where.index, field=where.field, **where.sink)
        await sink.open(None)
        yield partial(_write, sink)
        sink.leave()
        await sink.close(complete=True)


async def _write(sink: IndexSink, documents: Documents) -> Sequence[Refused]:
    """Write a batch, then check that the index is still the same one: an actor may be killed before it is closed."""
    refused = await sink.write(documents)
    await sink.flush()
    return refused
