"""A source around another one that splits each row into documents with a chunk of its text each."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any

import attrs

from aiomlcommons.inference.fields import with_value
from aiomlcommons.ingest.errors import SourceError
from aiomlcommons.ingest.rows.checking import RowChecker
from aiomlcommons.ingest.sources.chunks import Chunks
from aiomlcommons.ingest.sources.reading import in_thread
from aiomlcommons.ingest.sources.traits import WrappedSource, with_stall_timeout
from aiomlcommons.ingest.types import SHOWN, BadRow, Chunk, Row, Rows, Source

ROWS_AT_ONCE = 1_000


@attrs.frozen
class ChunkedSource(WrappedSource):
    """The documents of a source's rows, in which the text is one chunk.

    Each has the fields of its row, with the chunk under ``text_field``, its own id, ``ID#0``, ``ID#1``, ..., under
    ``id_field`` if there is one, and parent id and number under the fields of ``chunks``. Text and id may be paths. All
    rows get a number, so that no id can be that of another row. A row without text or id is passed on as it is.

    A position is ``[position of the source, row there, rows after it]``. All chunks of a row are yielded together.
    """

    source: Source
    chunks: Chunks
    check: RowChecker
    text_field: str
    id_field: str | None

    def with_stall_timeout(self, seconds: float) -> Source:
        """Return the same of the wrapped source with this stall timeout."""
        return attrs.evolve(self, source=with_stall_timeout(self.source, seconds))

    async def count(self) -> int | None:
        """Return None: the number of chunks is not known before all texts are read."""
        return None

    async def read(self, position: Any = None, start: int = 0) -> AsyncGenerator[Rows]:
        """Yield the documents. Raises as the wrapped source does."""
        inner, first, skip = (None, 0, 0) if position is None else _parsed(position, self.name)
        async with aclosing(self.source.read(inner, first)) as reading:
            async for rows in reading:
                while skip < len(rows.rows):
                    documents, end = await in_thread(partial(self._some, rows, skip))
                    share = rows.share if end == len(rows.rows) else None
                    yield Rows(start, documents, [rows.position, rows.start, skip], share)
                    start, skip = start + len(documents), end
                skip = 0

    def _some(self, rows: Rows, begin: int) -> tuple[list[Row | BadRow], int]:
        """Return the documents of rows from ``begin`` on until there are enough, and the end of these rows."""
        documents: list[Row | BadRow] = []
        for end in range(begin, len(rows.rows)):
            documents += self._documents(rows.rows[end], rows.start + end)
            if len(documents) >= ROWS_AT_ONCE:
                return documents, end + 1
        return documents, len(rows.rows)

    def _documents(self, row: Row | BadRow, number: int) -> Sequence[Row | BadRow]:
        checked = self.check(number, row)
        if checked.why or isinstance(row, BadRow):
            return [row]
        where = f"{self.name}, row {number} (id {checked.id!r})"
        if taken := [name for name in (self.chunks.parent, self.chunks.number) if name in row]:
            why = f"it has a field {taken[0]!r} already: name another one for that of the chunks, in Chunks"
            return [BadRow(why, where, repr(row)[:SHOWN])]
        try:
            chunks = self.chunks(checked.text)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            return [BadRow(f"its text cannot be split: {error!r}", where, checked.text[:SHOWN])]
        return list(self._with_chunks(row, checked.id, chunks))

    def _with_chunks(self, row: Row, key: str, chunks: list[str]) -> Iterator[Row]:
        for number, text in enumerate(chunks):
            document = with_value(row, self.text_field, text)
            chunk = Chunk(document, parent=key, number=number, text=text)
            if self.id_field is not None:
                chunk |= with_value(document, self.id_field, chunk.id)
            chunk |= {self.chunks.parent: key, self.chunks.number: number}
            yield chunk


def _parsed(position: Any, name: str) -> tuple[Any, int, int]:
    match position:
        case [inner, int(first), int(skip)]:
            return inner, first, skip
    raise SourceError(f"{name} cannot resume at {position!r}, which is not a position in its chunks")
