"""What sources of files share: bytes off the event loop, from a place on, and errors that name the place."""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from os import PathLike
from typing import IO, Any, TypeVar

import anyio
import anyio.to_thread
import attrs

from aiomlcommons.ingest.durable import TAIL
from aiomlcommons.ingest.errors import SourceError
from aiomlcommons.ingest.paths import printable
from aiomlcommons.ingest.sources._compression import Content, opened
from aiomlcommons.ingest.types import SHOWN

T = TypeVar("T")
SKIPPED_AT_ONCE = 1 << 20
LONGEST_LINE = 1 << 28
BOM = b"\xef\xbb\xbf"


@attrs.frozen
class FileSource:
    """What is known of a file of rows before it is read."""

    path: str | PathLike[str]

    @property
    def name(self) -> str:
        """The path, printable."""
        return printable(self.path)

    async def count(self) -> int | None:
        """Not known before all is read."""
        return None


async def content_of(path: str | PathLike[str]) -> Content:
    """The bytes of a file, as ``opened`` gives them; a named pipe is waited for until somebody writes into it."""
    content = await in_thread(lambda: opened(path))
    if content.is_pipe:
        # In the event loop: a thread that waits for a writer could not be left.
        try:
            await anyio.wait_readable(content.raw)
            os.set_blocking(content.raw.fileno(), True)
        except BaseException:
            content.close()
            raise
    return content


async def in_thread(work: Callable[[], T]) -> T:
    """Do what may block beside the event loop."""
    return await anyio.to_thread.run_sync(work)


@contextmanager
def telling(name: str) -> Generator[None]:
    """Turns whatever a file or a decompressor fails with into a SourceError."""
    try:
        yield
    except (SourceError, ImportError):
        raise
    except Exception as error:  # each library of compression has its own
        raise SourceError(f"{name} cannot be read on: {type(error).__name__}: {error}") from error


def numbers(position: Any, count: int, name: str) -> list[int]:
    """A mark that must be ``count`` numbers. Raises SourceError for any other."""
    if isinstance(position, list | tuple) and len(position) == count and all(isinstance(one, int) for one in position):
        return list(position)
    raise SourceError(f"{name} cannot be read on from {position!r}: that is no place in it")


@attrs.define
class Place:
    """How far a file of lines is read: so many bytes, after decompression, and lines; ``tail`` are the last bytes."""

    offset: int = 0
    line: int = 0
    tail: bytes = b""

    @property
    def position(self) -> list[int]:
        """The place as JSON, with what tells this file from another one."""
        return [self.offset, self.line, zlib.crc32(self.tail)]

    def passed(self, data: bytes, lines: int) -> None:
        """So many whole lines were read."""
        self.offset += len(data)
        self.line += lines
        self.tail = data[-TAIL:] if len(data) >= TAIL else (self.tail + data)[-TAIL:]

    def check(self, position: Sequence[int], name: str) -> None:
        """Raises SourceError where what was read up to a mark is not what was read to it before."""
        if self.offset < position[0]:
            raise SourceError(
                f"{name} has {self.offset:,} bytes, and was read to byte {position[0]:,} before: is it another file?"
            )
        if zlib.crc32(self.tail) != position[2]:
            raise SourceError(
                f"{name} has something else before byte {position[0]:,} than when it was read: was it replaced?"
            )
        self.line = position[1]


def go_on(content: Content, name: str, place: Place, position: Any) -> None:
    """Go from a place of a file to the one of a mark. Raises SourceError where it is another file."""
    found = numbers(position, 3, name)
    begin = max(place.offset, found[0] - TAIL)
    with telling(name):
        if content.file.seekable() and content.file is content.raw:
            place.offset = min(content.file.seek(begin), content.size)
        else:
            place.offset += _skipped(content.file, begin - place.offset)
        place.passed(content.file.read(found[0] - begin), 0)
    place.check(found, name)


def checked_length(line: bytes, name: str) -> None:
    """Raises SourceError for a line that would fill the memory: the file is likely something else."""
    if len(line) >= LONGEST_LINE:
        raise SourceError(f"{name} has a line of more than {LONGEST_LINE:,} bytes: is it a file of lines?")


def shown(data: bytes) -> str:
    """The beginning of something bad, for people."""
    return data[:SHOWN].decode(errors="replace")


def _skipped(file: IO[bytes], count: int) -> int:
    left = count
    while left and (data := file.read(min(left, SKIPPED_AT_ONCE))):
        left -= len(data)
    return count - left
