"""What sources, stages and sinks hand to each other: batches, as parallel lists and arrays."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, Protocol, TypeAlias, runtime_checkable

import attrs

from aiomlcommons.inference.vectors import Vectors

Row: TypeAlias = Mapping[str, Any]
Sparse: TypeAlias = "list[dict[str, float]]"


@attrs.frozen
class BadRow:
    """What stands in a source and is no document: ``why``, ``where`` (file and line), and its beginning as text."""

    why: str
    where: str
    raw: str = ""


@attrs.frozen(eq=False)
class Rows:
    """Rows as they are read: ``rows[i]`` is row ``start + i`` of the source, counted from 0.

    ``position`` is whatever the source needs, as JSON, to read on: ``source.read(position, start)`` gives
    ``rows[0]`` first.
    ``share`` is how much of the source is read with them, of 1, where that is known.
    """

    start: int
    rows: Sequence[Row | BadRow]
    position: Any
    share: float | None = None


class Source(Protocol):
    """Where documents come from. Reading it again gives the same rows in the same order."""

    @property
    def name(self) -> str:
        """What it is, for people and for the checkpoint: a path, an index."""
        ...

    def read(self, position: Any = None, start: int = 0) -> AsyncGenerator[Rows]:
        """The rows from the beginning, or from a mark that an earlier reading gave with row ``start``.

        Raises SourceError, naming the place, where it cannot be read on.
        """
        ...

    async def count(self) -> int | None:
        """How many rows it has, where that is known without reading all of it."""
        ...


@attrs.frozen(eq=False)
class Documents:
    """Embedded documents: row, id and text ``i`` belong to ``vectors[i]``.

    ``vectors`` is an array of shape ``(documents, dimension)``, or a list of ``{token: weight}`` of a sparse model.
    """

    ids: list[str]
    rows: list[Row]
    texts: list[str]
    vectors: Vectors | Sparse

    def __len__(self) -> int:
        return len(self.ids)


@attrs.frozen
class Refused:
    """A document that a sink did not take, and never will: its place in the batch, and why."""

    index: int
    why: str


class Sink(Protocol):
    """Where embedded documents go. Writing the same documents again does no harm.

    One that is ``concurrent`` takes several batches at once, in any order.
    """

    concurrent: bool

    @property
    def name(self) -> str:
        """What it is, for people and for the checkpoint: a path, an index."""
        ...

    async def open(self, state: Any) -> None:
        """Begin; ``state`` is None, or what ``flush`` returned before the job was broken off, and anything written
        after that is taken back or will be written again."""
        ...

    async def write(self, batch: Documents, /) -> Sequence[Refused]:
        """Take a batch; return what it cannot take."""
        ...

    async def flush(self) -> Any:
        """Make all that was taken durable, and return what ``open`` needs to go on after it, as JSON."""
        ...

    async def close(self, *, complete: bool) -> None:
        """End: ``complete`` makes the result appear, else what is there stays for a later ``open``."""
        ...


@runtime_checkable
class Retrying(Protocol):
    """A sink that may have to try for long: it hears of it when the job is being left."""

    def leave(self) -> None:
        """End soon: what is not taken at the first try is not tried again."""
        ...


SHOWN = 200
