"""Reading files as bytes, with transparent decompression."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import stat
from collections.abc import Callable
from contextlib import ExitStack
from importlib import import_module
from os import PathLike
from pathlib import Path
from typing import IO, Any, TypeAlias, cast

import attrs

from aiomlcommons.ingest.sources.remote import RemotePath

Decompressor: TypeAlias = Callable[[IO[bytes]], IO[bytes]]


SKIPPED_AT_ONCE = 1 << 20


@attrs.define
class Content:
    """An open file: ``file`` reads it decompressed, ``raw`` is the file itself, of ``size`` bytes."""

    file: IO[bytes]
    raw: IO[bytes]
    size: int
    is_pipe: bool = False  # whose reader waits for a writer
    _ahead: bytes = b""

    @property
    def share(self) -> float | None:
        """The fraction of the file that is read; None without a size, as for a named pipe."""
        return self.raw.tell() / self.size if self.size else None

    def head(self, size: int) -> bytes:
        """Return the next bytes, fewer only at the end of the file; ``read`` returns them too."""
        while len(self._ahead) < size and (data := self.file.read(size - len(self._ahead))):
            self._ahead += data
        return self._ahead[:size]

    def read(self, size: int) -> bytes:
        """Read at most so many bytes; none are the end of the file."""
        if not self._ahead:
            return self.file.read(size)
        data, self._ahead = self._ahead[:size], self._ahead[size:]
        return data

    def skip(self, count: int) -> int:
        """Skip so many bytes; return how many there were."""
        if self.file is self.raw and self.raw.seekable():
            begin = self.raw.tell() - len(self._ahead)
            self._ahead = b""
            return min(self.raw.seek(begin + count), self.size) - begin
        left = count
        while left and (data := self.read(min(left, SKIPPED_AT_ONCE))):
            left -= len(data)
        return count - left

    def close(self) -> None:
        """Close both files."""
        with self.raw:
            self.file.close()


def opened(path: str | PathLike[str]) -> Content:
    """Open a file for reading, decompressed if its suffix is .gz, .bz2, .xz or .zst.

    A named pipe is opened without waiting for a writer: do not read it before ``raw`` is readable.
    Raises OSError if it cannot be opened, ImportError, naming the extra, if .zst needs a library.
    """
    with ExitStack() as stack:
        raw, size, is_pipe = _elsewhere(path) if isinstance(path, RemotePath) else _here(path)
        stack.enter_context(raw)
        file = _DECOMPRESSORS.get(Path(path).suffix.lower(), _plain)(raw)
        content = Content(file, raw, size, is_pipe)
        stack.pop_all()
    return content


def _elsewhere(path: RemotePath) -> tuple[IO[bytes], int, bool]:
    return path.open(), path.size(), False


def _here(path: str | PathLike[str]) -> tuple[IO[bytes], int, bool]:
    raw = open(path, "rb", opener=_without_waiting)  # noqa: SIM115 - the caller closes it
    status = os.fstat(raw.fileno())
    return raw, status.st_size, stat.S_ISFIFO(status.st_mode)


def is_compressed(path: str | PathLike[str]) -> bool:
    """Return whether a file is compressed, by its suffix."""
    return Path(path).suffix.lower() in _DECOMPRESSORS


def suffix_of(path: str | PathLike[str]) -> str:
    """Return the suffix of a file name before that of its compression: ``.csv`` for ``a.csv.gz``."""
    file = Path(path)
    return (file.with_suffix("") if is_compressed(file) else file).suffix.lower()


def _without_waiting(path: str, flags: int) -> int:
    # It has no effect on regular files, and Windows has no such flag.
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _plain(raw: IO[bytes]) -> IO[bytes]:
    return raw


def _gzip(raw: IO[bytes]) -> IO[bytes]:
    return cast("IO[bytes]", gzip.GzipFile(fileobj=raw))


def _bzip(raw: IO[bytes]) -> IO[bytes]:
    return cast("IO[bytes]", bz2.BZ2File(raw))


def _lzma(raw: IO[bytes]) -> IO[bytes]:
    return cast("IO[bytes]", lzma.LZMAFile(raw))


def _zstd(raw: IO[bytes]) -> IO[bytes]:
    return cast("IO[bytes]", _zstd_library().ZstdFile(raw))


def _zstd_library() -> Any:
    # The standard library's, from Python 3.14 on, or its backport: unlike other libraries they read files of several
    # frames to the end, and report a truncated file.
    for name in ("compression.zstd", "backports.zstd"):
        try:
            return import_module(name)
        except ImportError:
            continue
    raise ImportError("reading .zst files needs backports.zstd: pip install 'aiomlcommons[zstd]'")


_DECOMPRESSORS: dict[str, Decompressor] = {".gz": _gzip, ".bz2": _bzip, ".xz": _lzma, ".zst": _zstd}
