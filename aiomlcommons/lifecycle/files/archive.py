"""Reproducible packing of a directory of model files into the zip file that a cluster accepts."""

from __future__ import annotations

import os
import shutil
import stat
import uuid
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from aiomlcommons.api.common import FunctionName
from aiomlcommons.api.model_records import Format
from aiomlcommons.lifecycle.errors import BadPackage
from aiomlcommons.lifecycle.files.package import check_files, check_package

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time stamp that a zip file can hold
_UNIX = 3
_PIECE = 1 << 20


def pack(
    directory: Path | str,
    to: Path | str,
    *,
    function_name: FunctionName | str = FunctionName.TEXT_EMBEDDING,
    model_format: Format | None = None,
) -> Path:
    """Pack a directory's files, except hidden ones and subdirectories, into a zip file that passes ``check_package``.

    The build is reproducible: the same files give the same bytes. ``to`` is replaced by an atomic rename. Raises
    BadPackage, InvalidRequest, OSError.
    """
    directory, to = Path(directory), Path(to)
    files = _files(directory, to)
    sizes = {file.name: file.stat().st_size for file in files}
    check_files(directory, sizes, function_name=function_name, model_format=model_format)
    part = to.with_name(f".{to.name}.{uuid.uuid4().hex}.part")
    try:
        _write(part, files)
        check_package(part, function_name=function_name, model_format=model_format)
        part.replace(to)
    except BadPackage as error:
        raise BadPackage(f"{directory} cannot be packed: {error}") from error
    finally:
        part.unlink(missing_ok=True)
    return to


def _files(directory: Path, to: Path) -> list[Path]:
    """Return the files to pack, sorted by name. Links are followed: the cache of a model hub consists of links."""
    if not directory.is_dir():
        raise BadPackage(f"{directory} is not a directory; give the one that holds the model's files")
    found = [path for path in directory.iterdir() if path.is_file() and not path.name.startswith(".")]
    return sorted((path for path in found if path.resolve() != to.resolve()), key=lambda path: path.name)


def _write(part: Path, files: Sequence[Path]) -> None:
    with part.open("xb") as stream:
        with zipfile.ZipFile(stream, "w") as archive:
            for file in files:
                _add(archive, file)
        stream.flush()
        os.fsync(stream.fileno())


def _add(archive: zipfile.ZipFile, file: Path) -> None:
    with file.open("rb") as source, archive.open(_entry(file.name, source), "w") as member:
        shutil.copyfileobj(source, member, _PIECE)


def _entry(name: str, source: IO[bytes]) -> zipfile.ZipInfo:
    """Return the zip entry of a file. Stored uncompressed: versions of zlib compress the same file differently."""
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.compress_type = zipfile.ZIP_STORED
    entry.create_system = _UNIX
    entry.external_attr = (stat.S_IFREG | 0o644) << 16
    entry.file_size = os.fstat(source.fileno()).st_size
    return entry
