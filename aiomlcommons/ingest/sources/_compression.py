"""Files as bytes, compressed or not."""

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

Decompressor: TypeAlias = Callable[[IO[bytes]], IO[bytes]]


@attrs.frozen
class Content:
    """The bytes of a file, decompressed: what ``file`` gives. ``raw`` is the file itself, of ``size`` bytes."""

    file: IO[bytes]
    raw: IO[bytes]
    size: int

    @property
    def is_pipe(self) -> bool:
        """Whether it is a named pipe, which has to be waited for."""
        return stat.S_ISFIFO(os.fstat(self.raw.fileno()).st_mode)

    @property
    def share(self) -> float | None:
        """How much of the file is read, of 1; None for what has no size, such as a named pipe."""
        return self.raw.tell() / self.size if self.size else None

    def close(self) -> None:
        """Close both."""
        with self.raw:
            self.file.close()


def opened(path: str | PathLike[str]) -> Content:
    """The bytes of a file, decompressed where its name ends in .gz, .bz2, .xz or .zst.

    A named pipe is opened without waiting for its writer: until ``raw`` is readable, it must not be read.
    Raises OSError where it cannot be opened, ImportError, naming the extra, where .zst needs a library.
    """
    with ExitStack() as stack:
        raw = stack.enter_context(open(path, "rb", opener=_at_once))
        file = _DECOMPRESSORS.get(Path(path).suffix.lower(), _plain)(raw)
        content = Content(file, raw, os.fstat(raw.fileno()).st_size)
        stack.pop_all()
    return content


def is_compressed(path: str | PathLike[str]) -> bool:
    """Whether the name of a file says that it is compressed."""
    return Path(path).suffix.lower() in _DECOMPRESSORS


def ending(path: str | PathLike[str]) -> str:
    """The ending of a file's name without that of its compression: ``.csv`` of ``a.csv.gz``."""
    file = Path(path)
    return (file.with_suffix("") if is_compressed(file) else file).suffix.lower()


def _at_once(path: str, flags: int) -> int:
    # A flag that Windows has no need of, and that changes nothing for a regular file.
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
    # The standard library's, of Python 3.14, and the same for older ones: unlike other libraries these read files of
    # several frames to their end, and do not take a file that is cut off for a whole one.
    for name in ("compression.zstd", "backports.zstd"):
        try:
            return import_module(name)
        except ImportError:
            continue
    raise ImportError("reading .zst files needs backports.zstd: pip install aiomlcommons[zstd]")


_DECOMPRESSORS: dict[str, Decompressor] = {".gz": _gzip, ".bz2": _bzip, ".xz": _lzma, ".zst": _zstd}
