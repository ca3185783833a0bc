"""The interfaces of sources and sinks, and the batches between them: parallel lists and arrays."""

from __future__ import annotations

import inspect
from abc import abstractmethod
from collections.abc import AsyncGenerator, Sequence
from operator import itemgetter
from typing import Any, Protocol, TypeAlias, runtime_checkable

import attrs

from aiomlcommons.inference.fields import Row as Row
from aiomlcommons.inference.vectors import Vectors

# Characters of a bad row that messages and dead letters show.
SHOWN = 200
Sparse: TypeAlias = "list[dict[str, float]]"


@attrs.frozen
class BadRow:
    """A row of a source that is not a document: ``why``, ``where`` (file and line), its beginning as text (``raw``)."""

    why: str
    where: str
    raw: str = ""


class Chunk(dict[str, Any]):
    """A document whose text is one chunk of the text of a row: ``parent`` is the id of that row."""

    def __init__(self, fields: Row, *, parent: str, number: int, text: str) -> None:
        super().__init__(fields)
        self.parent, self.number, self.text = parent, number, text

    @property
    def id(self) -> str:
        """The id, which no chunk of another row has: a number follows the last ``#``."""
        return f"{self.parent}#{self.number}"


class TextRow(dict[str, Any]):
    """The row of a bare text, which has no id of its own: ``{"text": ...}``."""


class ColumnarRows(Sequence[Row]):
    """Rows that are kept as columns, such as those of Arrow. ``rows[i]`` makes a row, ``rows[i:j]`` is of this kind.

    None of them is a BadRow. A job asks for the columns that it needs, and for no row as long as no sink does.
    """

    @abstractmethod
    def column(self, name: str) -> list[Any] | None:
        """Return ``[row[name] for row in rows]``, or None if there is no such column."""
        ...

    @abstractmethod
    def take(self, indices: Sequence[int]) -> Sequence[Row]:
        """Return some of the rows, in this order."""
        ...

    @abstractmethod
    def __add__(self, others: Sequence[Row]) -> Sequence[Row]:
        """Return these rows, then others: as columns if those are of this kind too, else a list."""
        ...


@attrs.frozen(eq=False)
class Rows:
    """Some rows as a source yields them: ``rows[i]`` is row ``start + i`` of the source, counted from 0.

    ``rows`` may be ColumnarRows. ``position`` is the cursor, a JSON value, from which the source reads these rows
    again: ``source.read(position, start)`` yields ``rows[0]`` first. ``share`` is the fraction of the source that is
    read with them, or None if it is not known.
    """

    start: int
    rows: Sequence[Row | BadRow]
    position: Any
    share: float | None = None

    @property
    def are_plain(self) -> bool:
        """Whether all rows are plain dicts, or all are bare texts, or they are kept as columns."""
        return isinstance(self.rows, ColumnarRows) or set(map(type, self.rows)) in ({dict}, {TextRow})

    def column(self, name: str) -> list[Any] | None:
        """Return a field of all rows, or None unless all have it and are plain."""
        if isinstance(self.rows, ColumnarRows):
            return self.rows.column(name)
        if not self.are_plain:
            return None
        try:
            return list(map(itemgetter(name), self.rows))  # type: ignore[arg-type]  # all are dicts
        except KeyError:
            return None


class Source(Protocol):
    """A source of documents. It must yield the same rows in the same order each time that it is read."""

    @property
    def name(self) -> str:
        """The name in messages and in the checkpoint: a path, an index."""
        ...

    def read(self, position: Any = None, start: int = 0) -> AsyncGenerator[Rows]:
        """Yield the rows from the beginning, or from the ``position`` that an earlier reading gave with row ``start``.

        Raises SourceError, naming the place, if reading fails or cannot resume there.
        """
        ...

    async def count(self) -> int | None:
        """Return the number of rows, or None if that is not known without reading all of them."""
        ...


@attrs.frozen(eq=False)
class Documents:
    """A batch of embedded documents: row, id and text ``i`` belong to ``vectors[i]``.

    ``vectors`` is an array of shape ``(documents, dimension)``, or for a sparse model a list of ``{token: weight}``.
    ``rows`` is a list, or ColumnarRows if the source has such and the sink takes them. ``numbers`` are the numbers of
    the rows in the source, from 0, as a list or a range; empty if the documents are not those of a job.
    """

    ids: list[str]
    rows: Sequence[Row]
    texts: list[str]
    vectors: Vectors | Sparse
    numbers: Sequence[int] = ()

    def __len__(self) -> int:
        return len(self.ids)


@attrs.frozen
class Refused:
    """A document that a sink refuses for good, which makes it a dead letter: its index in the batch, and why."""

    index: int
    why: str


class Sink(Protocol):
    """A sink of embedded documents. Delivery is at-least-once, so writing must be idempotent by id.

    A ``concurrent`` sink takes several calls of ``write`` at once, in any order.
    """

    concurrent: bool

    @property
    def name(self) -> str:
        """The name in messages and in the checkpoint: a path, an index."""
        ...

    async def open(self, state: Any) -> None:
        """Start anew where ``state`` is None, or resume from what ``flush`` returned in an interrupted job.

        Whatever was written after that flush is undone here, or is written again by the job.
        """
        ...

    async def write(self, batch: Documents, /) -> Sequence[Refused]:
        """Write a batch; return the documents that are refused for good."""
        ...

    async def flush(self) -> Any:
        """Make all writes so far durable; return the state, a JSON value, from which ``open`` resumes."""
        ...

    async def close(self, *, complete: bool) -> None:
        """Close; ``complete`` publishes the result, else what is written stays for a later ``open``."""
        ...


@runtime_checkable
class Screening(Protocol):
    """A sink that tells which documents it cannot hold, before they are embedded and paid for."""

    def screen(self, ids: Sequence[str], rows: Sequence[Row], /) -> Sequence[Refused]:
        """Return the documents that are refused for good; each reason names the field, its type and the remedy.

        It is called before ``write``, in the order of the source, and after a resume again for documents that are not
        settled. It blocks: it is called in a thread, beside the other methods, but once at a time.
        """
        ...


@runtime_checkable
class TakesColumns(Protocol):
    """A sink that takes rows as they are kept, also as ColumnarRows, if ``takes_columns``; any other gets lists."""

    takes_columns: bool


def rows_for(sink: Sink, rows: Sequence[Row]) -> Sequence[Row]:
    """Return rows as a sink takes them."""
    if isinstance(rows, ColumnarRows) and not (isinstance(sink, TakesColumns) and sink.takes_columns):
        return list(rows)
    return rows


@runtime_checkable
class TakesFailed(Protocol):
    """A sink that keeps documents which fail for good, without their vectors."""

    async def take_failed(self, rows: Sequence[Row], /) -> None:
        """Write documents that became dead letters, before they are counted; what it refuses stays a dead letter."""
        ...


@runtime_checkable
class Retrying(Protocol):
    """A sink with retries, which can be told to stop them when the job's context is left."""

    def leave(self) -> None:
        """Stop retrying: a write that fails from now on fails at once."""
        ...


def kind_of(place: Source | Sink) -> str:
    """Return the kind of a source or a sink in one word, from the name of its class: ``parquet``, ``index``."""
    return type(place).__name__.removesuffix("Source").removesuffix("Sink").lower()


def check_session(ml: Any) -> None:
    """Raise TypeError for what is no async session: the methods of a blocking one cannot be awaited."""
    if not inspect.iscoroutinefunction(getattr(type(ml), "request", None)):
        kind = type(ml)
        raise TypeError(
            f"ml must be an aiomlcommons.Session, not {kind.__module__}.{kind.__qualname__}; "
            "of an aiomlcommons.blocking.Session, give its async_session"
        )
