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
    Place,
    checked_length,
    content_of,
    go_on,
    in_thread,
    telling,
)
from aiomlcommons.ingest.types import SHOWN, BadRow, Row, Rows

ROWS_AT_ONCE = 1_000
BYTES_AT_ONCE = 1 << 20


@attrs.frozen
class CsvSource(FileSource):
    """The rows of a CSV file in UTF-8 by the names in its header, decompressed by its ending; all values are texts.

    Empty lines are passed over. A row with too many or too few cells, bad quotes or bytes is a BadRow, and so is one
    with a cell above ``csv.field_size_limit()``, which is where a quote that nobody closes comes to an end. A mark is
    the byte, after decompression, the number of the lines before it, and a checksum of their end.
    """

    delimiter: str = ","

    async def read(self, position: Any = None, start: int = 0) -> AsyncGenerator[Rows]:
        """The rows, read off the event loop.

        Raises SourceError, also for a header with a name twice, and OSError where the file cannot be opened.
        """
        content = await content_of(self.path)
        try:
            reader = _Reader(self.name, content, self.delimiter, start)
            await in_thread(lambda: reader.begin(position))
            while (rows := await in_thread(reader.take)).rows:
                yield rows
        finally:
            content.close()


@attrs.define
class _Reader:
    """Lines to rows; ``place`` is what was read so far."""

    name: str
    content: Content
    delimiter: str
    start: int
    place: Place = attrs.field(factory=Place)
    columns: list[str] = attrs.field(factory=list)
    spoiled: bool = False
    records: Iterator[Row | BadRow] = attrs.field(factory=lambda: iter(()))

    def begin(self, position: Any) -> None:
        """Read the header and go to the mark."""
        with telling(self.name):
            self.columns = self._header()
        if position is not None:
            go_on(self.content, self.name, self.place, position)
        self.records = self._records()

    def take(self) -> Rows:
        """The next rows; none are the end."""
        position, start = self.place.position, self.start
        rows: list[Row | BadRow] = []
        with telling(f"{self.name}, after line {self.place.line},"):
            while len(rows) < ROWS_AT_ONCE and self.place.offset - position[0] < BYTES_AT_ONCE:
                if (row := next(self.records, None)) is None:
                    break
                rows.append(row)
        self.start += len(rows)
        return Rows(start, rows, position, self.content.share)

    def _header(self) -> list[str]:
        names = next((cells for _, cells in self._cells()), [])
        if isinstance(names, csv.Error):
            raise SourceError(f"{self.name} has no header that can be read: {names}")
        if twice := {name for name in names if names.count(name) > 1}:
            raise SourceError(f"the header of {self.name} has {', '.join(map(repr, sorted(twice)))} more than once")
        return names

    def _records(self) -> Generator[Row | BadRow]:
        for line, cells in self._cells():
            if isinstance(cells, csv.Error):
                yield BadRow(f"not CSV: {cells}", self._where(line))
            elif self.spoiled:
                yield self._bad("not UTF-8", line, cells)
            elif len(cells) != len(self.columns):
                yield self._bad(f"{len(cells)} cells under a header of {len(self.columns)}", line, cells)
            else:
                yield dict(zip(self.columns, cells, strict=True))

    def _cells(self) -> Generator[tuple[int, list[str] | csv.Error]]:
        """Each record that is not empty, or what is wrong with it, and the number of its first line."""
        reader = csv.reader(self._lines(), delimiter=self.delimiter, strict=True)
        while True:
            first, self.spoiled = self.place.line + 1, False
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
            self.place.passed(data, 1)
            yield self._decoded(data.removeprefix(BOM) if self.place.line == 1 else data)

    def _decoded(self, data: bytes) -> str:
        try:
            return data.decode()
        except UnicodeDecodeError:
            self.spoiled = True
            return data.decode(errors="replace")

    def _bad(self, why: str, line: int, cells: list[str]) -> BadRow:
        return BadRow(why, self._where(line), self.delimiter.join(cells)[:SHOWN])

    def _where(self, line: int) -> str:
        return f"{self.name}, line {line}"
