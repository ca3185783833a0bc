"""CSV files with a header, compressed or not."""

from __future__ import annotations

import csv
from collections.abc import AsyncGenerator, Generator, Iterator
from typing import Any

import attrs

from aiomlcommons.ingest.errors import SourceError
from aiomlcommons.ingest.sources._compression import Content
from aiomlcommons.ingest.sources.reading import (
    BOM,
    LONGEST_LINE,
    FileSource,
    LinePosition,
    checked_length,
    content_of,
    in_thread,
    seek,
    source_errors,
)
from aiomlcommons.ingest.types import SHOWN, BadRow, Row, Rows

ROWS_AT_ONCE = 1_000
BYTES_AT_ONCE = 1 << 20


@attrs.frozen
class CsvSource(FileSource):
    """A CSV file in UTF-8 with a header, decompressed by its suffix; all values are strings.

    Empty lines are not rows. A row with too many or too few cells, bad quotes or invalid UTF-8 is a BadRow, and so is
    one with a cell above ``csv.field_size_limit()``, which bounds an unclosed quote. A position is the byte offset
    after decompression, the number of lines before it, and a checksum of the bytes before it.
    """

    delimiter: str = ","

    async def read(self, position: Any = None, start: int = 0) -> AsyncGenerator[Rows]:
        """Yield the rows, read off the event loop.

        Raises SourceError, also for a header with duplicate names, and OSError if the file cannot be opened.
        """
        content = await content_of(self.path)
        try:
            reader = _Reader(self.name, content, self.delimiter, start)
            await in_thread(lambda: reader.begin(position))
            while (rows := await in_thread(reader.next)).rows:
                yield rows
        finally:
            content.close()


@attrs.define
class _Reader:
    """A parser of lines into rows; ``place`` is how far the file is read."""

    name: str
    content: Content
    delimiter: str
    start: int
    place: LinePosition = attrs.field(factory=LinePosition)
    columns: list[str] = attrs.field(factory=list)
    not_utf8: bool = False
    records: Iterator[Row | BadRow] = attrs.field(factory=lambda: iter(()))

    def begin(self, position: Any) -> None:
        """Read the header, then seek to the position if one is given."""
        with source_errors(self.name):
            self.columns = self._header()
        if position is not None:
            seek(self.content, self.name, self.place, position)
        self.records = self._records()

    def next(self) -> Rows:
        """Return the next rows; none mean the end."""
        position, start = self.place.position, self.start
        rows: list[Row | BadRow] = []
        with source_errors(f"{self.name}, after line {self.place.line}"):
            while len(rows) < ROWS_AT_ONCE and self.place.offset - position[0] < BYTES_AT_ONCE:
                if (row := next(self.records, None)) is None:
                    break
                rows.append(row)
        self.start += len(rows)
        return Rows(start, rows, position, self.content.share)

    def _header(self) -> list[str]:
        names = next((cells for _, cells in self._cells()), [])
        if isinstance(names, csv.Error):
            raise SourceError(f"the header of {self.name} cannot be read: {names}")
        if duplicates := {name for name in names if names.count(name) > 1}:
            raise SourceError(
                f"the header of {self.name} has {', '.join(map(repr, sorted(duplicates)))} more than once"
            )
        return names

    def _records(self) -> Generator[Row | BadRow]:
        for line, cells in self._cells():
            if isinstance(cells, csv.Error):
                yield BadRow(f"not CSV: {cells}", self._where(line))
            elif self.not_utf8:
                yield self._bad("not UTF-8", line, cells)
            elif len(cells) != len(self.columns):
                yield self._bad(f"{len(cells)} cells under a header of {len(self.columns)}", line, cells)
            else:
                yield dict(zip(self.columns, cells, strict=True))

    def _cells(self) -> Generator[tuple[int, list[str] | csv.Error]]:
        """Yield the first line number of each record that is not empty, and its cells or the error in it."""
        reader = csv.reader(self._lines(), delimiter=self.delimiter, strict=True)
        while True:
            first, self.not_utf8 = self.place.line + 1, False
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield first, error
            else:
                if cells:
                    yield first, cells

    def _lines(self) -> Generator[str]:
        while data := self.content.file.readline(LONGEST_LINE):
            checked_length(data, self.name)
            self.place.advance(data, 1)
            yield self._decoded(data.removeprefix(BOM) if self.place.line == 1 else data)

    def _decoded(self, data: bytes) -> str:
        try:
            return data.decode()
        except UnicodeDecodeError:
            self.not_utf8 = True
            return data.decode(errors="replace")

    def _bad(self, why: str, line: int, cells: list[str]) -> BadRow:
        return BadRow(why, self._where(line), self.delimiter.join(cells)[:SHOWN])

    def _where(self, line: int) -> str:
        return f"{self.name}, line {line}"
