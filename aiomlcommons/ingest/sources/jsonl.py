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

from aiomlcommons.ingest.errors import SourceError
from aiomlcommons.ingest.paths import printable
from aiomlcommons.ingest.sources._compression import Content, opened
from aiomlcommons.ingest.sources._encoding import Encoding, check_encoding
from aiomlcommons.ingest.sources._json_objects import LineObjects, check_lines
from aiomlcommons.ingest.sources._lines import LineSplitter
from aiomlcommons.ingest.sources.reading import (
    FileSource,
    LinePosition,
    checked_position,
    content_of,
    head_of,
    in_thread,
    seek,
    source_errors,
)
from aiomlcommons.ingest.threads import run_to_end
from aiomlcommons.ingest.types import Rows
from aiomlcommons.typed import typed_fields

# About 1,000 lines of a usual size, so that the cost of the thread switch does not matter.
BYTES_AT_ONCE = 1 << 18


@attrs.frozen(field_transformer=typed_fields)
class JsonlSource(FileSource):
    """A JSON Lines file with one object a line, decompressed by its suffix (.gz, .bz2, .xz, .zst).

    A line ends with a line feed, or with a carriage return if the file has no line feeds. Empty lines are not rows. A
    line that is not an object is a BadRow. Whole numbers keep all digits; other numbers are IEEE doubles, and one
    beyond their range makes a BadRow.

    ``encoding`` is the name of the text encoding in Python; None is that of the byte order mark, else UTF-8.
    A position is the byte offset after decompression, the number of lines before it, and a checksum of the bytes
    before it.
    """

    encoding: str | None = attrs.field(default=None, validator=check_encoding)

    async def read(self, position: Any = None, start: int = 0) -> AsyncGenerator[Rows]:
        """Yield the rows, read off the event loop. Raises SourceError, OSError if the file cannot be opened."""
        content = await content_of(self.path)
        try:
            parser = await in_thread(lambda: self._parser(content, start))
            if position is not None:
                await in_thread(lambda: seek(content, self.name, parser.place, position))
            while not parser.ended:
                rows = await in_thread(lambda: parser.next(content))
                if rows.rows:
                    yield rows
        finally:
            content.close()

    def _parser(self, content: Content, start: int) -> _Parser:
        head = head_of(content, self.name)
        encoding = Encoding.of(head, self.encoding)
        check_lines(self.name, encoding.shown(head[encoding.bom :]))
        return _Parser(self.name, start, encoding, encoding.newline(head))


@attrs.define(field_transformer=typed_fields)
class StdinSource:
    """JSON Lines from standard input or another file descriptor; rows are yielded as soon as they arrive.

    It can be read only once. A later process resumes if it is given the same input from its beginning. ``encoding`` is
    that of JsonlSource.
    """

    descriptor: int = 0
    name: str = "-"
    encoding: str | None = attrs.field(default=None, validator=check_encoding, kw_only=True)
    _begun: bool = attrs.field(default=False, init=False)

    @property
    def options(self) -> dict[str, Any] | None:
        """How it is read, as of a FileSource."""
        return None if self.encoding is None else {"encoding": self.encoding}

    async def count(self) -> int | None:
        """Return None: the number of rows is unknown until all are read."""
        return None

    def once_only(self) -> bool:
        """Return True."""
        return True

    async def read(self, position: Any = None, start: int = 0) -> AsyncGenerator[Rows]:
        """Yield the rows. Raises SourceError if it was read before, or ends before the position."""
        if self._begun:
            raise SourceError(f"{'standard input' if self.name == '-' else self.name} can be read once only")
        self._begun = True
        skip = None if position is None else checked_position(position, 3, self.name)
        parser, head = None, b""
        while parser is None or not parser.ended:
            data = await self._bytes()
            if parser is None:
                head += data
                if data and Encoding.undecided(head):
                    continue
                encoding = Encoding.of(head, self.encoding)
                check_lines(self.name, encoding.shown(head[encoding.bom :]))
                parser, data = _Parser(self.name, start, encoding, skip=skip), head
            rows = await in_thread(partial(parser.feed, data))
            if rows.rows:
                yield rows

    async def _bytes(self) -> bytes:
        # A thread that waits for input could not be cancelled, so the event loop waits. It cannot wait for a regular
        # file (OSError), which is always readable.
        with suppress(OSError):
            await anyio.wait_readable(self.descriptor)
        with source_errors(self.name):
            return await in_thread(lambda: os.read(self.descriptor, BYTES_AT_ONCE))


@attrs.define
class PipeSource(StdinSource):
    """JSON Lines from a named pipe, read like standard input; it waits for a writer."""

    path: str | PathLike[str] = attrs.field(kw_only=True)

    def __attrs_post_init__(self) -> None:
        self.name = printable(self.path)

    async def read(self, position: Any = None, start: int = 0) -> AsyncGenerator[Rows]:
        """Yield the rows. Raises as StdinSource does, OSError if the pipe cannot be opened."""
        content = await run_to_end(lambda: opened(self.path), lambda content: content.close())
        try:
            self.descriptor = content.raw.fileno()
            async with aclosing(super().read(position, start)) as reading:
                async for rows in reading:
                    yield rows
        finally:
            content.close()


@attrs.define
class _Parser:
    """An incremental parser of bytes into rows; ``place`` is where the next line begins.

    With ``skip`` it drops the bytes before that position.
    """

    name: str
    start: int
    encoding: Encoding
    newline: str = "\n"
    skip: Sequence[int] | None = None
    place: LinePosition = attrs.field(factory=LinePosition)
    ended: bool = False
    _lines: LineSplitter = attrs.field(init=False)
    _objects: LineObjects = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._objects = LineObjects(self.name, self.encoding)
        self._lines = LineSplitter(self.name, self.encoding, self.newline)

    def next(self, content: Content) -> Rows:
        """Read and parse the next bytes of a file."""
        with source_errors(f"{self.name}, after line {self.place.line}"):
            data = content.read(BYTES_AT_ONCE)
        return attrs.evolve(self.feed(data), share=content.share)

    def feed(self, data: bytes) -> Rows:
        """Return the rows whose lines end in ``data``; empty data is the end of the file."""
        self.ended = not data
        rest = self._after_skip(self.skip, data) if self.skip else data
        position, start = self.place.position, self.start
        if not (rest or self.ended):
            return Rows(start, [], position)
        lines = self._lines.feed(rest)
        rows = self._objects.rows(self.place.line + 1, lines) if lines.count else []
        self.place.advance(lines.data, lines.count)
        self.start += len(rows)
        return Rows(start, rows, position)

    def _after_skip(self, position: Sequence[int], data: bytes) -> bytes:
        left = position[0] - self.place.offset
        self.place.advance(data[:left], 0)
        if self.ended or len(data) >= left:
            self.place.check(position, self.name)
            self.skip = None
        return data[left:]
