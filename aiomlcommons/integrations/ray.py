"""Embedding on Ray: a callable class for Ray Data's ``map_batches``. Ray itself brings the cluster."""

from __future__ import annotations

import threading
import weakref
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import ExitStack, asynccontextmanager
from functools import partial
from typing import Any, TypeAlias

import attrs
from anyio.from_thread import BlockingPortal, start_blocking_portal

from aiomlcommons.errors import MLCommonsError
from aiomlcommons.inference import Side
from aiomlcommons.ingest.assembly import predictor_of
from aiomlcommons.ingest.budget import RetryBudget
from aiomlcommons.ingest.embedder import embedder
from aiomlcommons.ingest.predicting import Predictor
from aiomlcommons.ingest.preparing import Batch
from aiomlcommons.ingest.settings import Settings
from aiomlcommons.ingest.stats import Stats
from aiomlcommons.ingest.types import Sparse
from aiomlcommons.integrations.columns import Columns, RowsFailed, check_texts, column, with_column
from aiomlcommons.models.spec import Spec
from aiomlcommons.pipeline.flow import fan_out
from aiomlcommons.session import Session
from aiomlcommons.vectors import Vectors

__all__ = ["Embed", "RowsFailed"]

Predict: TypeAlias = Callable[[Batch], Awaitable["Vectors | Sparse"]]


class Embed:
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
    ``id`` a column that names rows in errors. ``batch`` (default 64) texts go in one request, and ``in_flight``
    requests of an actor are under way: a number, or two bounds between which it is found (default 1 to 16).
    ``content_type`` tells an asymmetric model whether texts are a ``query`` or a ``passage``. ``retries`` is the budget
    that all retries of an actor share, and ``patience`` how many seconds the server may be away.

    With ``batch_format="pyarrow"`` the column is ``FixedSizeList<float32>``, with ``"numpy"`` a float32 array of shape
    ``(rows, dimension)``. Sparse models give ``map<string, float>``, or lists of ``{"token": ..., "weight": ...}``.

    Raises ValueError for a ``batch`` or ``in_flight`` below 1. Called, it raises InvalidRequest for a column that is
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
        in_flight: int | tuple[int, int] = (1, 16),
        content_type: Side | None = None,
        retries: float = 500.0,
        patience: float = 600.0,
        session: Mapping[str, Any] | None = None,
    ) -> None:
        if batch < 1:
            raise ValueError(f"batch must be 1 or more, not {batch}")
        Settings(concurrency=in_flight)  # refuses what is no concurrency
        self._text, self._output, self._id = text, output, id
        self._how = _How(model, url, batch, in_flight, content_type, retries, patience, dict(session or {}))
        self._reset()

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._opened: _Opened | None = None

    def __call__(self, batch: Columns) -> Columns:
        """The batch with its vectors, in the same order."""
        texts = column(batch, self._text)
        ids = [""] * len(texts) if self._id is None else list(map(str, column(batch, self._id)))
        check_texts(texts, ids)
        if not texts:
            return batch
        whole = Batch(0, list(range(len(texts))), ids, [{}] * len(texts), texts)
        return with_column(batch, self._output, self._open().embed(whole))

    def close(self) -> None:
        """Close the session and end its thread; a later call opens another."""
        with self._lock:
            opened, self._opened = self._opened, None
        if opened is not None:
            opened.close()

    def _open(self) -> _Opened:
        with self._lock:
            if self._opened is None:
                self._opened = _Opened(self._how)
                # Also at the end of the process, where nothing is collected any more.
                weakref.finalize(self, self._opened.close)
            return self._opened

    def __getstate__(self) -> dict[str, Any]:
        return {"_text": self._text, "_output": self._output, "_id": self._id, "_how": self._how}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self.__dict__.update(state)
        self._reset()

    def __repr__(self) -> str:
        return f"Embed({self._how.model!r}, {self._how.url!r}, text={self._text!r}, output={self._output!r})"


# ---- the event loop of an actor ----------------------------------------------------------------------------------


@attrs.frozen
class _How:
    """How texts are embedded; ``Embed`` says what each field is."""

    model: Spec | str
    url: str | None
    batch: int
    in_flight: int | tuple[int, int]
    content_type: Side | None
    retries: float
    patience: float
    session: dict[str, Any] = attrs.field(repr=False)  # a password may be in it


class _Opened:
    """A session on an event loop in a thread of its own, for callers that have none."""

    def __init__(self, how: _How) -> None:
        with ExitStack() as stack:
            self._portal: BlockingPortal = stack.enter_context(start_blocking_portal(name="aiomlcommons"))
            self._embed = stack.enter_context(self._portal.wrap_async_context_manager(_embedding(how)))
            self.close = stack.pop_all().close

    def embed(self, whole: Batch) -> list[Vectors | Sparse]:
        """The vectors of texts, some of them in each item."""
        future = self._portal.start_task_soon(self._embed, whole)
        try:
            return future.result()
        finally:
            future.cancel()  # where the caller is interrupted; else it is done


@asynccontextmanager
async def _embedding(how: _How) -> AsyncGenerator[Callable[[Batch], Awaitable[list[Vectors | Sparse]]]]:
    """What embeds batches, as long as the session behind it is open."""
    async with Session.from_env(**how.session) if how.url is None else Session(how.url, **how.session) as ml:
        ensured = await ml.models.ensure(how.model)
        model = await embedder(ml, ensured.model_id, content_type=how.content_type)
        settings = Settings(
            batch=how.batch, concurrency=how.in_flight, budget=RetryBudget(how.retries), patience=how.patience
        )
        yield partial(_embed, partial(_predict, predictor_of(model, settings, Stats())), how)


async def _embed(predict: Predict, how: _How, whole: Batch) -> list[Vectors | Sparse]:
    async def parts() -> AsyncGenerator[Batch]:
        for start in range(0, len(whole), how.batch):
            yield whole.part(range(len(whole))[start : start + how.batch])

    most = how.in_flight if isinstance(how.in_flight, int) else how.in_flight[1]
    async with fan_out(predict, parts(), in_flight=most, ordered=True) as results:
        return [vectors async for vectors in results]


async def _predict(predictor: Predictor, part: Batch) -> Vectors | Sparse:
    """The vectors of a part. Raises RowsFailed, which names its rows or those of them that are to blame."""
    try:
        predicted = await predictor(part)
    except MLCommonsError as error:
        raise RowsFailed(part.numbers, part.ids, f"{type(error).__name__}: {error}") from error
    if letters := predicted.letters:
        raise RowsFailed([one.row for one in letters], [one.id or "" for one in letters], letters[0].why)
    return predicted.vectors
