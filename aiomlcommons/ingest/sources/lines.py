"""JSON Lines: files, compressed or not, and standard input."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator
from contextlib import suppress
from functools import partial
from typing import IO, Any

import anyio
import attrs
import orjson

from aiomlcommons.ingest.sources.compressed import opened
from aiomlcommons.ingest.sources.reading import (
    BOM,
    FileSource,
    SourceError,
    checked_length,
    go_on,
    in_thread,
    numbers,
    shown,
    telling,
)
from aiomlcommons.ingest.types import BadRow, Row, Rows

# About 1,000 lines of a usual size: enough that the way to a thread and back counts for nothing.
BYTES_AT_ONCE = 1 << 18


@attrs.frozen
class JsonlSource(FileSource):
    """The objects of a JSON Lines file, one a line, decompressed by its ending (.gz, .bz2, .xz, .zst).

    Empty lines are passed over and are no rows. A line that is no object is a BadRow. A mark is the byte, after
    decompression, and the number of the lines before it.
    """

    async def read(self, mark: Any = None, start: int = 0) -> AsyncGenerator[Rows]:
        """The rows, read off the event loop. Raises SourceError, OSError where the file cannot be opened."""
        offset, line = (0, 0) if mark is None else numbers(mark, 2, self.name)
        file = await in_thread(lambda: opened(self.path))
        try:
            await in_thread(lambda: go_on(file, self.path, offset))
            parser = _Parser(self.name, offset, line, start)
            while not parser.ended:
                rows = await in_thread(lambda: parser.next(file))
                if rows.rows:
                    yield rows
        finally:
            file.close()


@attrs.define
class StdinSource:
    """JSON Lines from standard input, or another open file; rows come as soon as they are there.

    It can be read once. A later program that is given the same input from its beginning can read on in it.
    """

    descriptor: int = 0
    name: str = "-"
    _begun: bool = False

    async def count(self) -> int | None:
        """Not known before all is read."""
        return None

    async def read(self, mark: Any = None, start: int = 0) -> AsyncGenerator[Rows]:
        """The rows. Raises SourceError where it was read before or ends before the mark."""
        if self._begun:
            raise SourceError("standard input can be read once only")
        self._begun = True
        offset, line = (0, 0) if mark is None else numbers(mark, 2, self.name)
        parser = _Parser(self.name, offset, line, start, skip=offset)
        while not parser.ended:
            data = await self._bytes()
            rows = await in_thread(partial(parser.feed, data))
            if rows.rows:
                yield rows

    async def _bytes(self) -> bytes:
        # A thread that waits for input could not be stopped, so the event loop waits. It cannot for a regular file,
        # which does not make anybody wait either.
        with suppress(OSError):
            await anyio.wait_readable(self.descriptor)
        with telling(self.name):
            return await in_thread(lambda: os.read(self.descriptor, BYTES_AT_ONCE))


@attrs.define
class _Parser:
    """Bytes to rows. ``offset`` and ``line`` are where the next line begins, ``skip`` bytes are passed over first."""

    name: str
    offset: int
    line: int
    start: int
    skip: int = 0
    ended: bool = False
    rest: bytes = b""

    def next(self, file: IO[bytes]) -> Rows:
        """The rows of the next piece of a file."""
        with telling(f"{self.name}, after line {self.line}"):
            data = file.read(BYTES_AT_ONCE)
        return self.feed(data)

    def feed(self, data: bytes) -> Rows:
        """The rows whose lines end in ``data``; no data is the end."""
        self.ended = not data
        mark, start, ends = [self.offset, self.line], self.start, data
        if self.skip:
            ends = self._after_skip(data)
        lines = (self.rest + ends).split(b"\n")
        self.rest = b"" if self.ended else lines.pop()
        checked_length(self.rest, self.name)
        rows = self._rows(lines)
        self.start += len(rows)
        return Rows(start, rows, mark)

    def _after_skip(self, data: bytes) -> bytes:
        if self.ended:
            raise SourceError(f"{self.name} ends before byte {self.offset:,}, to which it was read before")
        left, self.skip = data[self.skip :], max(0, self.skip - len(data))
        return left

    def _rows(self, lines: list[bytes]) -> list[Row | BadRow]:
        rows: list[Row | BadRow] = []
        for line in lines:
            self.line += 1
            self.offset += len(line) + 1
            if line and not line.isspace():
                rows.append(self._row(line))
        return rows

    def _row(self, line: bytes) -> Row | BadRow:
        if self.line == 1:
            line = line.removeprefix(BOM)
        try:
            row = orjson.loads(line)
        except ValueError as error:
            return self._bad(f"the file ends within the line: {error}" if self.ended else f"not JSON: {error}", line)
        return row if isinstance(row, dict) else self._bad(f"not a JSON object but {_kind(row)}", line)

    def _bad(self, why: str, line: bytes) -> BadRow:
        return BadRow(why, f"{self.name}, line {self.line}", shown(line))


def _kind(value: Any) -> str:
    return "null" if value is None else type(value).__name__
