"""What sources of files share: bytes off the event loop, from a place on, and errors that name the place."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import IO, Any, TypeVar

import anyio.to_thread
import attrs

from aiomlcommons.errors import MLCommonsError
from aiomlcommons.ingest.sources.compressed import is_compressed

T = TypeVar("T")
SHOWN = 200
SKIPPED_AT_ONCE = 1 << 20
LONGEST_LINE = 1 << 28
BOM = b"\xef\xbb\xbf"


class SourceError(MLCommonsError):
    """A source that cannot be read on: it names the place."""


@attrs.frozen
class FileSource:
    """What is known of a file of rows before it is read."""

    path: str | PathLike[str]

    @property
    def name(self) -> str:
        """The path."""
        return os.fspath(self.path)

    async def count(self) -> int | None:
        """Not known before all is read."""
        return None


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


def numbers(mark: Any, count: int, name: str) -> list[int]:
    """A mark that must be ``count`` numbers. Raises SourceError for any other."""
    if isinstance(mark, list | tuple) and len(mark) == count and all(isinstance(one, int) for one in mark):
        return list(mark)
    raise SourceError(f"{name} cannot be read on from {mark!r}: that is no place in it")


def go_on(file: IO[bytes], path: str | PathLike[str], offset: int, at: int = 0) -> None:
    """Go to the line that begins at a byte of the (decompressed) content, from byte ``at``.

    Raises SourceError where the file is shorter, or where no line begins there.
    """
    if offset <= at:
        return
    with telling(str(path)):
        # What is no regular file, such as a named pipe, has no size to be compared and no place to go to.
        plain = Path(path).is_file() and not is_compressed(path)
        found = _sought(file, path, offset - 1) if plain else at + _skipped(file, offset - 1 - at)
        end = file.read(1)
    if not end:
        raise SourceError(f"{path} has {found:,} bytes, and was read to byte {offset:,} before: is it another file?")
    if end != b"\n":
        raise SourceError(f"{path} has no line at byte {offset:,}, to which it was read before: is it another file?")


def checked_length(line: bytes, name: str) -> None:
    """Raises SourceError for a line that would fill the memory: the file is likely something else."""
    if len(line) >= LONGEST_LINE:
        raise SourceError(f"{name} has a line of more than {LONGEST_LINE:,} bytes: is it a file of lines?")


def shown(data: bytes) -> str:
    """The beginning of something bad, for people."""
    return data[:SHOWN].decode(errors="replace")


def _sought(file: IO[bytes], path: str | PathLike[str], offset: int) -> int:
    file.seek(offset)
    return Path(path).stat().st_size


def _skipped(file: IO[bytes], count: int) -> int:
    left = count
    while left and (data := file.read(min(left, SKIPPED_AT_ONCE))):
        left -= len(data)
    return count - left
