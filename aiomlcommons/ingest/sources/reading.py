"""What file sources share: reading off the event loop, seeking to a position, and errors that name the place."""

from __future__ import annotations

import os
import zlib
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any, Protocol, TypeVar

import anyio
import anyio.to_thread
import attrs

from aiomlcommons.ingest.durable import TAIL
from aiomlcommons.ingest.errors import SourceError
from aiomlcommons.ingest.paths import printable, redacted
from aiomlcommons.ingest.sources._compression import Content, opened
from aiomlcommons.ingest.sources.remote import located
from aiomlcommons.ingest.threads import run_to_end
from aiomlcommons.ingest.types import Rows
from aiomlcommons.masking import raise_alone
from aiomlcommons.typed import typed_fields

T = TypeVar("T")
LONGEST_LINE = 1 << 28
# Bytes at the beginning of a file that tell its encoding, what ends its lines, and its header.
HEAD = 1 << 18
# What files that are no text begin with.
_NOT_TEXT = {
    b"\x1f\x8b\x08": "compressed with gzip: let its name end in .gz",
    b"BZh91AY&SY": "compressed with bzip2: let its name end in .bz2",
    b"\xfd7zXZ\0": "compressed with xz: let its name end in .xz",
    b"\x28\xb5\x2f\xfd": "compressed with Zstandard: let its name end in .zst",
    b"PK\x03\x04": "a ZIP file, perhaps of a spreadsheet: unpack it, or save it as CSV",
    b"PAR1": "Parquet: let its name end in .parquet",
    b"ARROW1\0": "Arrow: let its name end in .arrow",
}


@attrs.frozen(field_transformer=typed_fields)
class FileSource:
    """The base of sources that read one file of lines."""

    path: str | PathLike[str] = attrs.field(converter=located)

    @property
    def name(self) -> str:
        """The path, printable."""
        return printable(self.path)

    @property
    def options(self) -> dict[str, Any] | None:
        """How the file is read, if not by default: a checkpoint of other options does not fit."""
        fields = attrs.fields(type(self))[1:]  # all but the path
        values = ((field, getattr(self, field.name)) for field in fields)
        return {field.name: value for field, value in values if value != field.default} or None

    async def count(self) -> int | None:
        """Return None: counting the rows would mean reading the whole file."""
        return None

    def reads(self, path: str) -> bool:
        """Return whether this is the file."""
        return os.path.realpath(self.path) == path

    def once_only(self) -> bool:
        """Return whether it is a named pipe."""
        return Path(self.path).is_fifo()

    def rereadable(self) -> bool:
        """Return whether it is not a named pipe."""
        return not self.once_only()


class RecordReader(Protocol):
    """A reader of rows from an open file."""

    def next(self) -> Rows:
        """Return the next rows; none mean the end. It blocks. Raises SourceError."""
        ...


@attrs.frozen
class RecordSource(FileSource, ABC):
    """The base of sources whose file is read by a RecordReader."""

    async def read(self, position: Any = None, start: int = 0) -> AsyncGenerator[Rows]:
        """Yield the rows, read off the event loop. Raises SourceError, OSError if the file cannot be opened."""
        content = await content_of(self.path)
        try:
            reader = await in_thread(lambda: self._reader(content, position, start))
            while (rows := await in_thread(reader.next)).rows:
                yield rows
        finally:
            content.close()

    @abstractmethod
    def _reader(self, content: Content, position: Any, start: int) -> RecordReader: ...


async def content_of(path: str | PathLike[str]) -> Content:
    """Open a file as ``opened`` does, and wait for a writer if it is a named pipe."""
    content = await run_to_end(lambda: opened(path), lambda content: content.close())
    if content.is_pipe:
        # In the event loop, for a thread that waits for a writer could not be cancelled.
        try:
            await anyio.wait_readable(content.raw)
            os.set_blocking(content.raw.fileno(), True)
        except BaseException:
            content.close()
            raise
    return content


async def in_thread(work: Callable[[], T]) -> T:
    """Call a blocking function in a thread.

    Unlike ``run_to_end``, a cancelled task does not wait for it: a read of a pipe may never end.
    """
    return await anyio.to_thread.run_sync(work)


@contextmanager
def source_errors(name: str) -> Generator[None]:
    """Turn any error of a file or a decompressor into a SourceError."""
    try:
        yield
    except (SourceError, ImportError):
        raise
    except Exception as error:  # each decompressor has its own exceptions
        failure = SourceError(f"{name}: reading failed: {redacted(f'{type(error).__name__}: {error}')}")
        if "://" in name:
            raise_alone(failure)  # the error of a driver may hold credentials
        raise failure from error


def checked_position(position: Any, length: int, name: str) -> list[int]:
    """Return a position, which must be ``length`` integers. Raises SourceError if it is not."""
    if isinstance(position, list | tuple) and len(position) == length and all(isinstance(n, int) for n in position):
        return list(position)
    raise SourceError(f"{name} cannot resume at {position!r}, which is not a position in it")


@attrs.define
class LinePosition:
    """How far a file of lines is read: bytes after decompression, lines, and the last bytes (``tail``)."""

    offset: int = 0
    line: int = 0
    tail: bytes = b""

    @property
    def position(self) -> list[int]:
        """The position as JSON: offset, line, and a CRC-32 of the bytes before it, which identifies the file."""
        return [self.offset, self.line, zlib.crc32(self.tail)]

    def advance(self, data: bytes, lines: int) -> None:
        """Count data that was read, of so many whole lines."""
        self.offset += len(data)
        self.line += lines
        self.tail = data[-TAIL:] if len(data) >= TAIL else (self.tail + data)[-TAIL:]

    def check(self, position: Sequence[int], name: str) -> None:
        """Check that the bytes before a position are those of the earlier reading. Raises SourceError if not."""
        if self.offset < position[0]:
            raise SourceError(
                f"{name} has {self.offset:,} bytes, and was read to byte {position[0]:,} before: is it another file?"
            )
        if zlib.crc32(self.tail) != position[2]:
            raise SourceError(f"{name} has changed before byte {position[0]:,} since it was read: was it replaced?")
        self.line = position[1]


def head_of(content: Content, name: str) -> bytes:
    """Return the first bytes of a file of text, which are read again afterwards.

    Raises SourceError, also for a file of another kind under a wrong name.
    """
    with source_errors(name):
        head = content.head(HEAD)
    for mark, kind in _NOT_TEXT.items():
        if head.startswith(mark):
            raise SourceError(f"{name} is not text but {kind}")
    return head


def seek(content: Content, name: str, place: LinePosition, position: Any) -> None:
    """Move from a place in a file forward to a position. Raises SourceError if it is another file."""
    wanted = checked_position(position, 3, name)
    begin = max(place.offset, wanted[0] - TAIL)
    with source_errors(name):
        place.offset += content.skip(begin - place.offset)
        place.advance(content.read(len(content.head(wanted[0] - begin))), 0)
    place.check(wanted, name)


def checked_length(length: int, name: str) -> None:
    """Raise SourceError for a line so long that the file is likely not one of lines, before it fills the memory."""
    if length >= LONGEST_LINE:
        raise SourceError(f"{name} has a line of more than {LONGEST_LINE:,} bytes: is it a file of lines?")
