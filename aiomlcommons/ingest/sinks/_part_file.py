"""A file that is written under a temporary name and published by atomic rename, and that resumes after a crash."""

from __future__ import annotations

import io
import os
from contextlib import ExitStack, suppress
from os import PathLike
from pathlib import Path

from aiomlcommons.ingest.durable import REMEDY, lock, rename_open, sync_folder
from aiomlcommons.ingest.errors import SinkError
from aiomlcommons.ingest.paths import naming


class Part:
    """``NAME.part``, which is renamed to ``NAME`` when it is complete. It blocks: call it in a thread.

    ``length`` is the end of the last whole write. Bytes after it are of a torn write: they are overwritten or cut off.
    """

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path = Path(path)
        self.part = self.path.with_name(self.path.name + ".part")
        self.length = 0
        self._file: io.FileIO | None = None
        self._was_complete = False
        self._lost: OSError | None = None

    @property
    def is_open(self) -> bool:
        """Whether the part file is open: not before ``open``, nor if the file is complete already."""
        return self._file is not None

    def open(self, length: int | None) -> None:
        """Start anew, or resume after ``length`` bytes. Raises SinkError if there are fewer, OSError."""
        # A finished job is resumed: its file stays as it is unless there is more to write.
        self._was_complete = length is not None and self._is_complete(length)
        self.length = length or 0
        if not self._was_complete:
            self._begin(new=length is None)

    def write(self, data: bytes | memoryview, at: int | None = None) -> None:
        """Append, or overwrite ``at`` an offset. Raises OSError, naming the file; ``length`` does not change then."""
        start = self.length if at is None else at
        _write_all(self._opened(), data, start, self.part)
        self.length = max(self.length, start + len(data))

    def sync(self) -> int:
        """Fsync the file; return its length. Raises OSError, SinkError if it is not open."""
        if not self._was_complete:
            self._sync(self._opened())
        return self.length

    def close(self, *, complete: bool) -> None:
        """Close the file; ``complete`` publishes it under its name, else an empty one is removed. Raises OSError."""
        file, self._file = self._file, None
        if file is not None:
            with file:
                if complete:
                    self._complete(file)
                elif not self.length:
                    # While it is locked. Windows removes no open file: there an empty one stays.
                    with suppress(PermissionError):
                        self.part.unlink(missing_ok=True)

    def _opened(self) -> io.FileIO:
        if self._was_complete:
            self.path.replace(self.part)
            self._begin(new=False)
            self._was_complete = False
        if self._file is None:
            raise SinkError(f"{self.path} is not open")
        return self._file

    def _begin(self, *, new: bool) -> None:
        if not new:
            found = self.part.stat().st_size if self.part.exists() else 0
            if found < self.length:
                raise SinkError(f"{self.part} has {found:,} bytes, and {self.length:,} were written before: {REMEDY}")
        with ExitStack() as opened:
            self.part.touch()
            file = opened.enter_context(io.FileIO(self.part, "rb+"))
            lock(file.fileno(), self.path)
            self._file, self._lost = file, None
            self._cut(file)
            opened.pop_all()
        sync_folder(self.part.parent)

    def _is_complete(self, length: int) -> bool:
        return not self.part.exists() and self.path.exists() and self.path.stat().st_size == length

    def _sync(self, file: io.FileIO) -> None:
        if self._lost is not None:
            # The kernel drops what it could not write: a second fsync would succeed although the data is lost.
            raise self._lost
        try:
            with naming(self.part):
                os.fsync(file.fileno())
        except OSError as error:
            self._lost = error
            raise

    def _complete(self, file: io.FileIO) -> None:
        self._cut(file)
        self._sync(file)
        rename_open(file, self.part, self.path)
        sync_folder(self.path.parent)

    def _cut(self, file: io.FileIO) -> None:
        with naming(self.part):
            file.truncate(self.length)


def _write_all(file: io.FileIO, data: bytes | memoryview, at: int, path: Path) -> None:
    with naming(path):
        file.seek(at)
        view = memoryview(data)
        while view:
            view = view[file.write(view) :]
