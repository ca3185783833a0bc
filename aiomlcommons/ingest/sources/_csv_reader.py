"""Reading of the records of a CSV file, each of which becomes a row or a bad row."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Sequence

import attrs

from aiomlcommons.ingest.sources._compression import Content
from aiomlcommons.ingest.sources._csv_layout import Layout
from aiomlcommons.ingest.sources._csv_plain import plain_rows
from aiomlcommons.ingest.sources._lines import Lines, LineSplitter
from aiomlcommons.ingest.sources.reading import LinePosition, source_errors
from aiomlcommons.ingest.types import BadRow, Row, Rows

ROWS_AT_ONCE = 1_000
BYTES_AT_ONCE = 1 << 20
READ_AT_ONCE = 1 << 18
# Bytes in which a quote must be closed, so that one that nobody closes does not read the whole file into memory.
LONGEST_RECORD = 1 << 24
_LINE_ENDS = re.compile("[\r\n]+")


@attrs.define
class CsvReader:
    """A reader of records from a file; ``place`` is how far it is read. It blocks: call it in a thread."""

    name: str
    content: Content
    layout: Layout
    place: LinePosition
    start: int
    # Lines that are read one by one, and after them those that were read together and not looked at yet.
    _lines: deque[bytes] = attrs.field(factory=deque, init=False)
    _untried: Lines | None = attrs.field(default=None, init=False)
    _reads: int = attrs.field(default=0, init=False)
    _ended: bool = attrs.field(default=False, init=False)
    _splitter: LineSplitter = attrs.field(init=False)
    # The lines of the record that is being read, whether one of them is not in the encoding of the file, and how many
    # bytes it may have yet.
    _record: list[bytes] = attrs.field(factory=list, init=False)
    _not_text: bool = attrs.field(default=False, init=False)
    _left: int = attrs.field(default=LONGEST_RECORD, init=False)

    def __attrs_post_init__(self) -> None:
        self._splitter = LineSplitter(self.name, self.layout.encoding, self.layout.newline)

    def next(self) -> Rows:
        """Return the next rows; none mean the end. Raises SourceError."""
        position, start = self.place.position, self.start
        rows: Sequence[Row | BadRow] = ()
        with source_errors(f"{self.name}, after line {self.place.line}"):
            while not rows and (self._lines or self._untried or self._read()):
                rows = self._together() or self._one_by_one()
        self.start += len(rows)
        return Rows(start, rows, position, self.content.share)

    def _together(self) -> Sequence[Row | BadRow]:
        """Return the rows of the lines that were just read, as many as the plain way finds."""
        if (lines := self._untried) is None:
            return ()
        self._untried = None
        rows, count = plain_rows(lines, self.layout)
        if count == lines.count:
            self.place.advance(lines.data, count)
        else:
            split = lines.split()
            self.place.advance(b"".join(split[:count]), count)
            self._lines.extend(split[count:])
        return rows

    def _one_by_one(self) -> list[Row | BadRow]:
        """Return some rows, record by record; none mean the end."""
        begin, rows, reads = self.place.offset, list[Row | BadRow](), self._reads
        while not rows or (len(rows) < ROWS_AT_ONCE and self.place.offset - begin < BYTES_AT_ONCE):
            if (found := self._next()) is None:
                break
            rows += found
            if self._reads > reads:
                # What follows a record that goes on in the next lines of the file may be plain.
                self._try_rest()
                break
        return rows

    def _try_rest(self) -> None:
        if sum(map(len, self._lines)) <= BYTES_AT_ONCE:
            self._untried = Lines(
                b"".join(self._lines), self.layout.newline.encode(self.layout.encoding.name), len(self._lines)
            )
            self._lines.clear()

    def _next(self) -> Sequence[Row | BadRow] | None:
        """Return the row of the next record, none if its line is empty; None at the end of the file.

        There are several if carriage returns divide the line into rows.
        """
        self._record, self._not_text, self._left = [], False, LONGEST_RECORD
        if (text := self._line()) is None:
            return None
        try:
            rows = self._rows(text, self.layout.dialect.cells(text, self._more))
        except ValueError as error:
            self._only_first()
            rows = self._divided(text) or self._bad(f"not CSV: {error}")
        self.place.advance(b"".join(self._record), len(self._record))
        return rows

    def _rows(self, text: str, cells: list[str]) -> Sequence[Row | BadRow]:
        columns = self.layout.columns
        if self._not_text:
            return self._bad(self.layout.encoding.misfit)
        if not text.strip("\r\n"):
            return ()
        if len(cells) == len(columns):
            return (dict(zip(columns, cells, strict=True)),)
        return self._divided(text) or self._bad(f"{len(cells)} cells under a header of {len(columns)}")

    def _divided(self, text: str) -> Sequence[Row]:
        """Return the rows of a line that carriage returns divide into rows, or none."""
        parts = [self.layout.dialect.alone(part) for part in _LINE_ENDS.split(text) if part]
        if self._not_text or len(self._record) > 1 or len(parts) < 2 or not all(map(self._is_row, parts)):
            return ()
        return [dict(zip(self.layout.columns, cells, strict=True)) for cells in parts]

    def _is_row(self, cells: list[str]) -> bool:
        return 1 < len(cells) == len(self.layout.columns)

    def _bad(self, why: str) -> Sequence[BadRow]:
        first, last = self.place.line + 1, self.place.line + len(self._record)
        where = f"line {first}" if first == last else f"lines {first} to {last}"
        raw = self.layout.encoding.excerpt(b"".join(self._record))
        return (BadRow(why, f"{self.name}, {where}", raw),)

    def _only_first(self) -> None:
        """Give the lines of the record back but for the first."""
        self._lines.extendleft(reversed(self._record[1:]))
        del self._record[1:]

    def _more(self) -> str | None:
        """Return the next line of a record whose quote is open; None at the end of the file, or after too many."""
        self._left -= len(self._record[-1])
        return self._line() if self._left > 0 else None

    def _line(self) -> str | None:
        """Return the next line of the file, and add it to the record."""
        while not self._lines:
            if self._untried is None and not self._read():
                return None
            self._lines.extend(self._untried.split() if self._untried else ())
            self._untried = None
        self._record.append(line := self._lines.popleft())
        try:
            return self.layout.encoding.decode(line)
        except UnicodeDecodeError:
            self._not_text = True
            return self.layout.encoding.shown(line)

    def _read(self) -> bool:
        """Read the next lines of the file; return False at its end."""
        if self._ended:
            return False
        data = self.content.read(READ_AT_ONCE)
        self._ended = not data
        lines = self._splitter.feed(data)
        self._reads += 1
        self._untried = lines if lines.count else None
        return True
