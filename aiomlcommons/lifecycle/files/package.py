"""Validation of a local model's zip file before anything is sent: structure, zip bombs, path traversal, checksums."""

from __future__ import annotations

import hashlib
import io
import stat
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import attrs

from aiomlcommons.api.common import FunctionName
from aiomlcommons.api.model_records import Format, ModelFormat
from aiomlcommons.api.model_registration import CHUNK_SIZE
from aiomlcommons.errors import InvalidRequest
from aiomlcommons.lifecycle.errors import BadPackage
from aiomlcommons.typed import typed

MAX_UNPACKED = 100_000_000_000
"""The maximum unpacked size of all members of a package, in bytes."""

MAX_RATIO = 200
"""The maximum compression ratio of a package that unpacks to more than ``HARMLESS`` bytes."""

HARMLESS = 100_000_000
"""The unpacked size in bytes up to which a package is no zip bomb, whatever its compression ratio."""

MAX_DIRECTORY = 1_000_000
"""The maximum size of a zip file's central directory in bytes, which is held in memory; some ten thousand members."""

TOKENIZER = "tokenizer.json"

FORMATS: Mapping[str, ModelFormat] = {".pt": ModelFormat.TORCH_SCRIPT, ".onnx": ModelFormat.ONNX}
"""The extensions by which the server recognizes a model file, case-sensitively."""

_TEXT_KINDS = (
    FunctionName.TEXT_EMBEDDING,
    FunctionName.SPARSE_ENCODING,
    FunctionName.SPARSE_TOKENIZE,
    FunctionName.TEXT_SIMILARITY,
    FunctionName.QUESTION_ANSWERING,
)
_KINDS = (*_TEXT_KINDS, FunctionName.METRICS_CORRELATION)
# Advice for common mistakes, by the extension of the file given in place of a model.
_INSTEAD: Mapping[str, str] = {
    ".pth": "the server does not recognize .pth: if it is TorchScript, rename it to .pt",
    ".pt": "the server requires a lower-case extension: rename it to .pt",
    ".onnx": "the server requires a lower-case extension: rename it to .onnx",
    ".safetensors": "it holds weights only: trace the model to TorchScript (.pt) or export it to ONNX (.onnx)",
    ".bin": "it holds weights only: trace the model to TorchScript (.pt) or export it to ONNX (.onnx)",
}
# The server rejects other methods, and encrypted members, in files that it downloads by URL.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_BROKEN = (zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError, OverflowError, RuntimeError)
OUTSIDE = "could be unpacked outside the model's folder; pack it again with plain names"
_FLAT = "pack the files themselves, not the folder that holds them"
_PIECE = 1 << 18
# What stands before each member, without its name.
_MEMBER_HEADER = 30


@attrs.frozen
class Package:
    """A validated zip file of a model. ``size`` is in bytes, ``members`` are its files without directories.

    ``model_file`` is None if there is none, which is valid for a sparse tokenizer only.
    """

    path: Path
    size: int
    model_file: str | None
    model_format: ModelFormat
    members: tuple[str, ...]


def check_package(
    path: Path | str,
    *,
    function_name: FunctionName | str = FunctionName.TEXT_EMBEDDING,
    model_format: Format | None = None,
) -> Package:
    """Validate a model's whole zip file, in constant memory. Raises BadPackage, InvalidRequest, OSError."""
    path = Path(path)
    size = _size(path)
    try:
        with _BoundedReader(io.FileIO(path)) as stream, zipfile.ZipFile(stream) as archive:
            infos = archive.infolist()
            _check_members(path, size, infos)
            sizes = {info.filename: info.file_size for info in infos if not info.is_dir()}
            model_file, found = check_files(path, sizes, function_name=function_name, model_format=model_format)
            _read_through(path, archive)
    except InvalidRequest:
        raise
    except _BROKEN as error:
        raise BadPackage(f"{path} is not a complete zip file ({error}); download or pack it again") from error
    return Package(path, size, model_file, found, tuple(sizes))


def check_files(
    where: Path,
    sizes: Mapping[str, int],
    *,
    function_name: FunctionName | str = FunctionName.TEXT_EMBEDDING,
    model_format: Format | None = None,
) -> tuple[str | None, ModelFormat]:
    """Validate the names and sizes of all files; return the model file and its format.

    Raises BadPackage, InvalidRequest.
    """
    wanted = _known(function_name, model_format)
    for name in filter(escapes, sizes):
        raise BadPackage(f"{where}: {name!r} {OUTSIDE}")
    model_file = _model_file(where, sizes, needed=function_name != FunctionName.SPARSE_TOKENIZE)
    found = _format(model_file) if model_file else wanted or ModelFormat.TORCH_SCRIPT
    if wanted not in {None, found}:
        raise BadPackage(f"{where}: {model_file} is {found}, not {wanted}; give model_format={found.value!r}")
    if function_name in _TEXT_KINDS:
        _check_tokenizer(where, sizes)
    for name in filter(None, (model_file, TOKENIZER)):
        if sizes.get(name) == 0:
            raise BadPackage(f"{where}: {name} is empty; export it again")
    return model_file, found


@typed
def sha256(path: Path | str, *, progress: Callable[[int], Any] = lambda _: None) -> str:
    """Return the SHA-256 of a file in hex; ``progress`` is called with the bytes read so far."""
    digest, done = hashlib.sha256(), 0
    with Path(path).open("rb", buffering=0) as stream:
        while piece := stream.read(CHUNK_SIZE):
            digest.update(piece)
            done += len(piece)
            progress(done)
    return digest.hexdigest()


class _BoundedReader(io.BufferedReader):
    """A file that bounds each read and rejects negative offsets, against a corrupt or malicious central directory."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > MAX_DIRECTORY:
            raise zipfile.BadZipFile(f"its directory has {size:,} bytes; at most {MAX_DIRECTORY:,} are read")
        return super().read(size)

    def seek(self, target: int, whence: int = 0, /) -> int:
        if whence == 0 and target < 0:
            raise zipfile.BadZipFile("a member has a negative offset")
        return super().seek(target, whence)


def _size(path: Path) -> int:
    if not path.is_file():
        what = "is a directory; pack it first" if path.is_dir() else "does not exist; check the path"
        raise BadPackage(f"{path} {what}")
    size = path.stat().st_size
    if size == 0:
        raise BadPackage(f"{path} is empty; download or pack it again")
    return size


def _known(function_name: str, model_format: str | None) -> ModelFormat | None:
    if function_name not in _KINDS:
        raise InvalidRequest(
            f"function_name: a {function_name} model cannot be registered from a file; {', '.join(_KINDS)} can"
        )
    return checked_format(model_format)


def checked_format(model_format: str | None) -> ModelFormat | None:
    """Return a model format as a ModelFormat. Raises InvalidRequest."""
    if model_format is None:
        return None
    if model_format not in set(ModelFormat):
        raise InvalidRequest(f"model_format must be TORCH_SCRIPT or ONNX, not {model_format!r}")
    return ModelFormat(model_format)


def _format(name: str) -> ModelFormat:
    return FORMATS[name[name.rindex(".") :]]


def _check_members(path: Path, size: int, infos: list[zipfile.ZipInfo]) -> None:
    if not infos:
        raise BadPackage(f"{path} holds no files; pack the model's files again")
    for info in infos:
        if wrong := _what_is_wrong(info):
            raise BadPackage(f"{path}: {info.orig_filename!r} {wrong}")
    for name, times in Counter(info.filename for info in infos).items():
        if times > 1:
            raise BadPackage(f"{path} holds {name!r} {times} times; pack it again with one of them")
    for info, following in pairwise(sorted(infos, key=lambda info: info.header_offset)):
        if info.header_offset + _MEMBER_HEADER + info.compress_size > following.header_offset:
            # As in a zip bomb. Some versions of Python refuse it as they read, some warn, some do nothing.
            names = f"{info.orig_filename!r} and {following.orig_filename!r}"
            raise BadPackage(f"{path} holds {names} in the same place; pack it again")
    _check_unpacked(path, size, sum(info.file_size for info in infos))


def _check_unpacked(path: Path, size: int, unpacked: int) -> None:
    if unpacked > MAX_UNPACKED or unpacked > max(HARMLESS, size * MAX_RATIO):
        raise BadPackage(
            f"{path} has {size:,} bytes and unpacks to {unpacked:,}, as a zip bomb does (at most {MAX_UNPACKED:,} and "
            f"{MAX_RATIO} times its size are allowed); if you trust it, pack it again uncompressed"
        )


def _what_is_wrong(info: zipfile.ZipInfo) -> str:
    kind = stat.S_IFMT(info.external_attr >> 16)
    if escapes(info.orig_filename):  # info.filename is truncated at a NUL
        return OUTSIDE
    if kind not in {0, stat.S_IFREG, stat.S_IFDIR}:
        return "is a link or a device, which the server would not follow; pack the file itself"
    if info.flag_bits & 0x1:
        return "is encrypted, which the server cannot read; pack it again without a password"
    if info.compress_type not in _METHODS:
        return "has a compression method that the server cannot read; pack it again with Deflate, or uncompressed"
    return ""


def escapes(name: str) -> bool:
    """Return whether a name could escape the target folder (path traversal), on any operating system."""
    parts = name.removesuffix("/").split("/")
    return "\\" in name or "\0" in name or name[1:2] == ":" or not {"", ".", ".."}.isdisjoint(parts)


def _model_file(where: Path, sizes: Mapping[str, int], *, needed: bool) -> str | None:
    models = [name for name in sizes if name.endswith(tuple(FORMATS))]
    if len(models) > 1:
        raise BadPackage(f"{where} holds several models ({', '.join(models[:5])}); the server takes one: leave one in")
    if not models and needed:
        raise BadPackage(f"{where} holds no model that ends in .pt or .onnx; {_instead(sizes)}")
    if models and "/" in models[0]:
        # Deploying looks for the model file in the top level of the unpacked folder only.
        raise BadPackage(f"{where}: the server does not look for {models[0]} in a folder; {_FLAT}")
    return models[0] if models else None


def _instead(sizes: Mapping[str, int]) -> str:
    for ending, advice in _INSTEAD.items():
        if name := next((name for name in sizes if name.lower().endswith(ending)), None):
            return f"there is {name}: {advice}"
    return "trace the model to TorchScript (.pt) or export it to ONNX (.onnx), and put it in"


def _check_tokenizer(where: Path, sizes: Mapping[str, int]) -> None:
    """Raise BadPackage without a ``tokenizer.json`` at the top level, where alone the server looks for it."""
    if TOKENIZER in sizes:
        return
    if nested := next((name for name in sizes if name.endswith(f"/{TOKENIZER}")), None):
        raise BadPackage(f"{where}: the server does not look for {nested} in a folder; {_FLAT}")
    raise BadPackage(f"{where} holds no {TOKENIZER}; write it with the model's fast tokenizer (tokenizer.save)")


def _read_through(path: Path, archive: zipfile.ZipFile) -> None:
    """Read every member to verify its checksum, which detects truncated and corrupt files."""
    for info in archive.infolist():
        try:
            with archive.open(info) as member:
                while member.read(_PIECE):
                    pass
        except _BROKEN as error:
            raise BadPackage(f"{path}: {info.filename} is damaged ({error}); download or pack it again") from error
