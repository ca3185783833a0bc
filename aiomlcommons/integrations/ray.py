"""Embedding and indexing on Ray: callable classes for Ray Data's ``map_batches``. Ray itself brings the cluster."""

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
from aiomlcommons.ingest.errors import RowsFailed
from aiomlcommons.ingest.options import JobOptions
from aiomlcommons.ingest.rows.batching import Batch
from aiomlcommons.ingest.sinks import IndexSink
from aiomlcommons.ingest.stats import Stats
from aiomlcommons.ingest.types import Documents, Refused, Sparse
from aiomlcommons.integrations._actors import Worker, session_of
from aiomlcommons.integrations._columns import Columns, check_texts, column, documents_of, with_column, without_column
from aiomlcommons.lifecycle.spec import Spec

__all__ = ["Embed", "Index", "RowsFailed"]

Predict: TypeAlias = Callable[[Batch], Awaitable["Vectors | Sparse"]]


class Embed(Worker[Batch, "list[Vectors | Sparse]"]):
    """Adds a column of vectors to the batches of a Ray dataset, with one session and event loop for each actor.

    Ray is given the class, not an object, and makes an object of it in each actor::

        dataset.map_batches(
            Embed,
            fn_constructor_kwargs={"model": "all-MiniLM-L6-v2", "url": "https://host:9200"},
            batch_format="pyarrow",
            batch_size=1024,
            compute=ray.data.ActorPoolStrategy(size=2),
        )

    ``model`` is an id, a name or what else ``ml.models.ensure`` takes; an actor ensures it when its first batch comes.
    Without ``url`` the environment of the actor names the cluster, as in ``Session.from_env``; ``session`` are further
    options of Session. ``text`` is the column of the texts, ``output`` the new column (one of that name is replaced),
    ``id`` a column that names rows in errors. ``batch`` (default 64) texts go in one request, and ``concurrency``
    requests of an actor are under way: a number, or two bounds between which it is found (default 1 to 16).
    ``content_type`` tells an asymmetric model whether texts are a ``query`` or a ``passage``. ``retry_budget`` is
    how many retries the requests of an actor have ahead, ``stall_timeout`` how many seconds the server may be away.
    With ``redeploy`` a model that is gone from the nodes is deployed again.

    With ``batch_format="pyarrow"`` the column is ``FixedSizeList<float32>``, with ``"numpy"`` a float32 array of shape
    ``(rows, dimension)``. Sparse models give ``map<string, float>``, or lists of ``{"token": ..., "weight": ...}``.

    Raises ValueError for a ``batch`` or ``concurrency`` below 1. Called, it raises InvalidRequest for a column that is
    not there, TypeError for another kind of batch, RowsFailed where texts are no strings or cannot be embedded, and as
    ``ml.models.ensure`` does. The session closes with the actor, or by ``close``; it may be pickled, and a copy opens a
    session of its own.
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
        if batch < 1:
            raise ValueError(f"batch must be 1 or more, not {batch}")
        JobOptions(concurrency=concurrency)  # refuses what is no concurrency
        super().__init__()
        self._text, self._output, self._id = text, output, id
        how = (batch, concurrency, content_type, retry_budget, stall_timeout, redeploy)
        self._how = _How(model, url, *how, dict(session or {}))

    def __call__(self, batch: Columns) -> Columns:
        """The batch with its vectors, in the same order."""
        texts = column(batch, self._text)
        ids = [""] * len(texts) if self._id is None else list(map(str, column(batch, self._id)))
        check_texts(texts, ids)
        if not texts:
            return batch
        whole = Batch(0, list(range(len(texts))), ids, [{}] * len(texts), texts)
        return with_column(batch, self._output, self._ask(whole))

    def _working(self) -> AbstractAsyncContextManager[Callable[[Batch], Awaitable[list[Vectors | Sparse]]]]:
        return _embedding(self._how)

    def __repr__(self) -> str:
        return f"Embed({self._how.model!r}, {self._how.url!r}, text={self._text!r}, output={self._output!r})"


class Index(Worker[Documents, Sequence[Refused]]):
    """Writes the batches of a Ray dataset into an OpenSearch index, with one session and event loop for each actor::

        dataset.map_batches(Embed, ...).map_batches(
            Index,
            fn_constructor_kwargs={"index": "docs", "url": "https://host:9200", "create": True},
            batch_format="pyarrow",
            compute=ray.data.ActorPoolStrategy(size=1),
        ).count()

    A row becomes a document under the id in the column ``id`` (default ``id``), with the vector of the column
    ``field`` (default ``embedding``) and all other columns as they are. A batch that Ray sends again, for its actor
    died, overwrites itself. ``url`` and ``session`` are as with Embed, ``sink`` are further options of IndexSink:
    ``create``, ``sparse``, ``concurrency``, ``stall_timeout``.

    Called, it gives back the batch without its vectors, which need not travel further. Searches see the documents when
    the index is refreshed, by itself or by you. Raises InvalidRequest for columns that are not there or hold no
    vectors, SinkError where the index cannot take them, and RowsFailed with the rows that the index refuses, the others
    of the batch being written.
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
        """Write the batch; give it back without its vectors."""
        documents = documents_of(batch, self._id, self._where.field)
        refused = self._ask(documents) if len(documents) else ()
        if refused:
            rows = [one.index for one in refused]
            raise RowsFailed(rows, [documents.ids[row] for row in rows], refused[0].why)
        return without_column(batch, self._where.field)

    def _working(self) -> AbstractAsyncContextManager[Callable[[Documents], Awaitable[Sequence[Refused]]]]:
        return _indexing(self._where)

    def __repr__(self) -> str:
        return f"Index({self._where.index!r}, {self._where.url!r}, id={self._id!r}, field={self._where.field!r})"


# ---- what happens in an actor -------------------------------------------------------------------------------------


@attrs.frozen
class _How:
    """How texts are embedded; ``Embed`` says what each field is."""

    model: Spec | str
    url: str | None
    batch: int
    concurrency: int | tuple[int, int]
    content_type: Side | None
    retry_budget: float
    stall_timeout: float
    redeploy: bool
    session: dict[str, Any] = attrs.field(repr=False)  # a password may be in it


@asynccontextmanager
async def _embedding(how: _How) -> AsyncGenerator[Callable[[Batch], Awaitable[list[Vectors | Sparse]]]]:
    """What embeds batches, as long as the session behind it is open."""
    async with session_of(how.url, how.session) as session:
        ml = session.options(wait=how.stall_timeout)
        ensured = await ml.models.ensure(how.model)
        model = await job_model(ml, ensured.model_id, content_type=how.content_type, redeploy=how.redeploy)
        options = JobOptions(
            batch=how.batch, concurrency=how.concurrency, retry_budget=how.retry_budget, stall_timeout=how.stall_timeout
        )
        yield partial(_embed, partial(_predict, embedder_of(model, options, Stats())), how)


async def _embed(predict: Predict, how: _How, whole: Batch) -> list[Vectors | Sparse]:
    async def parts() -> AsyncGenerator[Batch]:
        for start in range(0, len(whole), how.batch):
            yield whole.part(range(len(whole))[start : start + how.batch])

    most = how.concurrency if isinstance(how.concurrency, int) else how.concurrency[1]
    async with fan_out(predict, parts(), concurrency=most, ordered=True) as results:
        return [vectors async for vectors in results]


async def _predict(embedder: BatchEmbedder, part: Batch) -> Vectors | Sparse:
    """The vectors of a part. Raises RowsFailed, which names its rows or those of them that are to blame."""
    try:
        embedded = await embedder(part)
    except MLCommonsError as error:
        raise RowsFailed(part.numbers, part.ids, f"{type(error).__name__}: {error}") from error
    if dead_letters := embedded.dead_letters:
        raise RowsFailed([one.row for one in dead_letters], [one.id or "" for one in dead_letters], dead_letters[0].why)
    return embedded.vectors


@attrs.frozen
class _Where:
    """Where documents go; ``Index`` says what each field is."""

    index: str
    url: str | None
    field: str
    session: dict[str, Any] = attrs.field(repr=False)  # a password may be in it
    sink: dict[str, Any]


@asynccontextmanager
async def _indexing(where: _Where) -> AsyncGenerator[Callable[[Documents], Awaitable[Sequence[Refused]]]]:
    """What writes documents, as long as the session behind it is open; the last one lets searches see them."""
    async with session_of(where.url, where.session) as ml:
        sink = IndexSink(ml, where.index, field=where.field, **where.sink)
        await sink.open(None)
        yield partial(_write, sink)
        sink.leave()
        await sink.close(complete=True)


async def _write(sink: IndexSink, documents: Documents) -> Sequence[Refused]:
    """Write a batch, and see that the index is still the same one. No other moment is as sure to come."""
    refused = await sink.write(documents)
    await sink.flush()
    return refused
