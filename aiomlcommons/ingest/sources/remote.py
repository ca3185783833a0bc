"""Files elsewhere (S3, Google Storage, Azure, the Hugging Face Hub, the web): whatever fsspec has a driver for."""

from __future__ import annotations

import errno
import io
import os
import re
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from importlib import import_module
from os import PathLike
from pathlib import Path
from typing import IO, Any, TypeAlias, cast
from urllib.parse import urlsplit
from urllib.request import url2pathname

import attrs

from aiomlcommons.errors import InvalidRequest
from aiomlcommons.ingest.errors import SourceError
from aiomlcommons.ingest.paths import redacted
from aiomlcommons.masking import raise_alone
from aiomlcommons.typed import typed_fields

# Two letters or more, as Windows has drives of one; fsspec chains protocols by "::".
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+(::|://)")
BUFFER = 1 << 20


@attrs.frozen(repr=False, field_transformer=typed_fields)
class RemotePath(PathLike[str]):
    """The URL of a file, a folder or a glob elsewhere, read by fsspec: ``RemotePath("s3://bucket/*.jsonl.gz")``.

    It is a path wherever a source takes one; a string with ``://`` becomes one without options. ``storage_options``
    are those of the driver, such as ``{"key": ..., "secret": ...}``. As text it has neither user and password nor
    the query, where signatures and tokens are. Needs the extra ``remote``, and the driver's own package (s3fs, gcsfs,
    adlfs, huggingface_hub).
    """

    url: str = attrs.field(repr=redacted)
    storage_options: Mapping[str, Any] = attrs.field(factory=dict, eq=False, repr=False)
    _found: tuple[Any, str] | None = attrs.field(default=None, eq=False, repr=False)

    def __fspath__(self) -> str:
        return redacted(self.url)

    __str__ = __fspath__

    def __repr__(self) -> str:
        return f"RemotePath({str(self)!r})"

    @property
    def filesystem(self) -> Any:
        """The filesystem of fsspec. Raises ImportError, naming what to install, and InvalidRequest."""
        return self._resolved[0]

    @property
    def path(self) -> str:
        """The path in the filesystem, which may hold credentials."""
        return self._resolved[1]

    @property
    def _resolved(self) -> tuple[Any, str]:
        return self._found or _resolved(self)

    def open(self) -> IO[bytes]:
        """Open the file for reading in blocks, without a copy of it. It blocks. Raises as all methods do."""
        with self.errors():
            return cast("IO[bytes]", io.BufferedReader(_Raw(self, self.filesystem.open(self.path, "rb")), BUFFER))

    def size(self) -> int:
        """Return the size in bytes, 0 if it is not known. Raises FileNotFoundError."""
        with self.errors():
            return int(self.filesystem.info(self.path).get("size") or 0)

    def is_dir(self) -> bool:
        """Return whether it is a folder; of a web server nothing is."""
        with self.errors():
            # There every page with links is a folder for fsspec.
            return "http" not in self._protocols and bool(self.filesystem.isdir(self.path))

    def glob(self) -> list[RemotePath]:
        """Return the files that match the path as a glob."""
        with self.errors():
            self.filesystem.invalidate_cache()
            details: Mapping[str, Any] = self.filesystem.glob(self.path, detail=True)
            return [self._at(path) for path, info in details.items() if info["type"] == "file"]

    def walk(self) -> list[RemotePath]:
        """Return all files in the folder and below."""
        with self.errors():
            self.filesystem.invalidate_cache()
            return [self._at(path) for path in self.filesystem.find(self.path)]

    def _at(self, path: str) -> RemotePath:
        url = self.filesystem.unstrip_protocol(path)
        return RemotePath(url, self.storage_options, (self.filesystem, path))

    @property
    def _protocols(self) -> tuple[str, ...]:
        names = self.filesystem.protocol
        return (names,) if isinstance(names, str) else tuple(names)

    @contextmanager
    def errors(self) -> Generator[None]:
        """Turn any error of a driver into one without credentials: FileNotFoundError or SourceError."""
        try:
            yield
        except (SourceError, InvalidRequest, ImportError):
            raise
        except FileNotFoundError:
            # Without the driver's own error, here and below, which may hold credentials.
            raise_alone(FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(self)))
        except Exception as error:
            words = f"{type(error).__name__}: {self._without_secrets(error)}"
            raise_alone(SourceError(f"{self}: reading failed: {words}"))

    def _without_secrets(self, error: Exception) -> str:
        text = redacted(str(error))
        for secret in filter(None, (urlsplit(self.url).query, *_texts(self.storage_options))):
            text = text.replace(secret, "***")
        return text


def located(path: str | PathLike[str]) -> str | PathLike[str]:
    """Return the RemotePath of a URL, the Path of a ``file://`` URL, and any other path as it is."""
    if not isinstance(path, str) or not _URL.match(path):
        return path
    return Path(url2pathname(urlsplit(path).path)) if path.lower().startswith("file://") else RemotePath(path)


def location(path: str | PathLike[str]) -> Location:
    """Return a path as a RemotePath or a Path."""
    where = located(path)
    return where if isinstance(where, RemotePath) else Path(where)


Location: TypeAlias = Path | RemotePath


def size_of(path: Location) -> int:
    """Return the size of a file in bytes. Raises FileNotFoundError. It blocks."""
    return path.size() if isinstance(path, RemotePath) else path.stat().st_size


class _Raw(io.RawIOBase):
    """A file of fsspec whose errors show no credentials, and that knows whether it can seek."""

    def __init__(self, path: RemotePath, file: Any) -> None:
        self._path, self._file = path, file
        # A web server without ranges sends a stream, which has no size; fsspec calls that seekable too.
        self._seekable = bool(file.seekable()) and getattr(file, "size", 0) is not None

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return self._seekable

    def readinto(self, buffer: Any) -> int:
        with self._path.errors():
            data = self._file.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        with self._path.errors():
            return int(self._file.seek(offset, whence))

    def tell(self) -> int:
        return int(self._file.tell())

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()


def _resolved(path: RemotePath) -> tuple[Any, str]:
    scheme, options = path.url.partition(":")[0], dict(path.storage_options)
    if scheme in {"http", "https"} and "%" in path.url:
        options.setdefault("encoded", True)  # else a signed URL would be quoted anew, which breaks its signature
    try:
        filesystem, inner = import_module("fsspec.core").url_to_fs(path.url, **options)
    except ImportError as error:
        raise ImportError(_to_install(scheme, error)) from error
    except ValueError as error:
        raise_alone(InvalidRequest(f"cannot read {path}: {redacted(str(error))}"))
    return filesystem, str(inner)


def _to_install(scheme: str, error: ImportError) -> str:
    if (error.name or "").partition(".")[0] == "fsspec":
        return f"reading {scheme}:// needs fsspec: pip install 'aiomlcommons[remote]'"
    return f"reading {scheme}:// needs a driver of fsspec: {error}"


def _texts(options: Any) -> list[str]:
    """Return the texts in the options of a driver, of which each may be a secret."""
    if isinstance(options, Mapping):
        return [text for value in options.values() for text in _texts(value)]
    return [options] if isinstance(options, str) else []
