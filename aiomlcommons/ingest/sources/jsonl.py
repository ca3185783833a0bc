"""JSON Lines: files, compressed or not, and standard input."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, suppress
from functools import partial
from os import PathLike
from typing import Any

import anyio
import attrs
import orjson

from aiomlcommons.ingest.errors import SourceError
from aiomlcommons.ingest.paths import printable
from aiomlcommons.ingest.sources._compression import Content, opened
from aiomlcommons.ingest.sources.reading import (
    BOM,
    FileSource,
    Place,
    checked_length,
    content_of,
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
    decompression, the number of the lines before it, and a checksum of their end.
    """

    async def read(self, position: Any = None, start: int = 0) -> AsyncGenerator[Rows]:
        """The rows, read off the event loop. Raises SourceError, OSError where the file cannot be opened."""
        content = await content_of(self.path)
        try:
            parser = _Parser(self.name, start)
            if position is not None:
                await in_thread(lambda: go_on(content, self.name, parser.place, position))
            while not parser.ended:
                rows = await in_thread(lambda: parser.next(content))
                if rows.rows:
                    yield rows
        finally:
            content.close()


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

    async def read(self, position: Any = None, start: int = 0) -> AsyncGenerator[Rows]:
        """The rows. Raises SourceError where it was read before or ends before the mark."""
        if self._begun:
            raise SourceError(f"{'standard input' if self.name == '-' else self.name} can be read once only")
        self._begun = True
        parser = _Parser(self.name, start, skip=None if position is None else numbers(position, 3, self.name))
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
class PipeSource(StdinSource):
    """JSON Lines from a named pipe, as from standard input; without a writer it is waited for."""

    path: str | PathLike[str] = attrs.field(kw_only=True)

    def __attrs_post_init__(self) -> None:
        self.name = printable(self.path)

    async def read(self, position: Any = None, start: int = 0) -> AsyncGenerator[Rows]:
        """The rows. Raises as StdinSource does, OSError where it cannot be opened."""
        content = await in_thread(lambda: opened(self.path))
        try:
            self.descriptor = content.raw.fileno()
            async with aclosing(super().read(position, start)) as reading:
                async for rows in reading:
                    yield rows
        finally:
            content.close()


@attrs.define
class _Parser:
    """Bytes to rows. ``place`` is where the next line begins; what is before the mark ``skip`` is passed over first."""

    name: str
    start: int
    skip: Sequence[int] | None = None
    place: Place = attrs.field(factory=Place)
    ended: bool = False
    rest: bytes = b""

    def next(self, content: Content) -> Rows:
        """The rows of the next piece of a file."""
        with telling(f"{self.name}, after line {self.place.line}"):
            data = content.file.read(BYTES_AT_ONCE)
        return attrs.evolve(self.feed(data), share=content.share)

    def feed(self, data: bytes) -> Rows:
        """The rows whose lines end in ``data``; no data is the end."""
        self.ended = not data
        content = self.rest + (self._after_skip(self.skip, data) if self.skip else data)
        position, start, end = self.place.position, self.start, len(content) if self.ended else content.rfind(b"\n") + 1
        self.rest = content[end:]
        checked_length(self.rest, self.name)
        lines = content[:end].removesuffix(b"\n").split(b"\n") if end else []
        rows = [self._row(number, line) for number, line in enumerate(lines, self.place.line + 1) if line.strip()]
        self.place.passed(content[:end], len(lines))
        self.start += len(rows)
        return Rows(start, rows, position)

    def _after_skip(self, position: Sequence[int], data: bytes) -> bytes:
        left = position[0] - self.place.offset
        self.place.passed(data[:left], 0)
        if self.ended or len(data) >= left:
            self.place.check(position, self.name)
            self.skip = None
        return data[left:]

    def _row(self, number: int, line: bytes) -> Row | BadRow:
        if number == 1:
            line = line.removeprefix(BOM)
        try:
            row = orjson.loads(line)
        except ValueError as error:
            why = f"the file ends within the line: {error}" if self.ended else f"not JSON: {error}"
            return self._bad(why, number, line)
        return row if isinstance(row, dict) else self._bad(f"not a JSON object but {_kind(row)}", number, line)

    def _bad(self, why: str, number: int, line: bytes) -> BadRow:
        return BadRow(why, f"{self.name}, line {number}", shown(line))


def _kind(value: Any) -> str:
    return "null" if value is None else type(value).__name__
