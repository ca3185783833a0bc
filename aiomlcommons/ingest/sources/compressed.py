"""Files as bytes, compressed or not."""

from __future__ import annotations

import bz2
import gzip
import lzma
from collections.abc import Callable
from importlib import import_module
from os import PathLike
from pathlib import Path
from typing import IO, Any, TypeAlias, cast

Opener: TypeAlias = Callable[[Path], IO[bytes]]


def opened(path: str | PathLike[str]) -> IO[bytes]:
    """The bytes of a file, decompressed where its name ends in .gz, .bz2, .xz or .zst.

    Raises OSError where it cannot be opened, ImportError, naming the extra, where .zst needs a library.
    """
    return _OPENERS.get(Path(path).suffix.lower(), _plain)(Path(path))


def is_compressed(path: str | PathLike[str]) -> bool:
    """Whether the name of a file says that it is compressed."""
    return Path(path).suffix.lower() in _OPENERS


def ending(path: str | PathLike[str]) -> str:
    """The ending of a file's name without that of its compression: ``.csv`` of ``a.csv.gz``."""
    file = Path(path)
    return (file.with_suffix("") if is_compressed(file) else file).suffix.lower()


def _plain(path: Path) -> IO[bytes]:
    return path.open("rb")


def _gzip(path: Path) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(path, "rb"))


def _bzip(path: Path) -> IO[bytes]:
    return cast("IO[bytes]", bz2.open(path, "rb"))


def _lzma(path: Path) -> IO[bytes]:
    return cast("IO[bytes]", lzma.open(path, "rb"))


def _zstd(path: Path) -> IO[bytes]:
    return cast("IO[bytes]", _zstd_library().open(path, "rb"))


def _zstd_library() -> Any:
    # The standard library's, of Python 3.14, and the same for older ones: unlike other libraries these read files of
    # several frames to their end, and do not take a file that is cut off for a whole one.
    for name in ("compression.zstd", "backports.zstd"):
        try:
            return import_module(name)
        except ImportError:
            continue
    raise ImportError("reading .zst files needs backports.zstd: pip install aiomlcommons[zstd]")


_OPENERS: dict[str, Opener] = {".gz": _gzip, ".bz2": _bzip, ".xz": _lzma, ".zst": _zstd}
