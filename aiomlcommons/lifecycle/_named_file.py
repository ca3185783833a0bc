"""Validation, hashing and packing of a local model file before anything is sent."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.from_thread
import anyio.to_thread
import attrs

from aiomlcommons.api.checks import name_of_file
from aiomlcommons.api.common import FunctionName
from aiomlcommons.api.model_configs import ModelConfig
from aiomlcommons.lifecycle._hub_files import downloaded
from aiomlcommons.lifecycle._register_requests import NamedFile
from aiomlcommons.lifecycle.errors import BadPackage
from aiomlcommons.lifecycle.files.archive import pack
from aiomlcommons.lifecycle.files.hub_repository import HubRepository
from aiomlcommons.lifecycle.files.hugging_face import read_config
from aiomlcommons.lifecycle.files.package import check_package, sha256
from aiomlcommons.lifecycle.spec import FileModel
from aiomlcommons.lifecycle.upload import ModelFile
from aiomlcommons.progress.event import Phase, Progress, Tell

# The server registers these without a model_config.
_NEED_NO_CONFIG = {FunctionName.SPARSE_ENCODING, FunctionName.SPARSE_TOKENIZE}


@asynccontextmanager
async def named_file(spec: FileModel, tell: Tell) -> AsyncGenerator[NamedFile]:
    """Check and hash the file of a model; a directory is packed into a temporary file, deleted with the context.

    Files on Hugging Face are downloaded before. Raises BadPackage, NotDownloaded, InvalidRequest, OSError, ImportError.
    """
    async with anyio.TemporaryDirectory(prefix="aiomlcommons-") as temporary:
        folder = Path(temporary)
        if isinstance(spec.path, HubRepository):
            name = spec.name or spec.path.repo_id
            path = await downloaded(spec.path, folder, model_format=spec.model_format, name=name, tell=tell)
        else:
            path = Path(spec.path)
            name = spec.name or name_of_file(path.name)
        tell(Progress(phase=Phase.CHECKING, name=name, words=str(spec.path)))
        try:
            found = await anyio.to_thread.run_sync(_read, spec, path, name, folder, tell)
        except BadPackage as error:
            # A temporary folder says nothing to the caller.
            raise BadPackage(str(error).replace(str(path), str(spec.path))) from error
        yield found


def _read(spec: FileModel, path: Path, name: str, folder: Path, tell: Tell) -> NamedFile:
    kind: dict[str, Any] = {"function_name": str(spec.function_name).upper(), "model_format": spec.model_format}
    file = pack(path, folder / f"{path.name}.zip", **kind) if path.is_dir() else path
    package = check_package(file, **kind)

    def hashed(done: int) -> None:
        # Progress is told on the thread of the event loop. Here a cancelled caller also interrupts the hashing.
        progress = Progress(phase=Phase.CHECKING, name=name, done=done, total=package.size, unit="bytes")
        anyio.from_thread.run_sync(tell, progress)

    digest = sha256(file, progress=hashed)
    if spec.model_content_hash_value not in {None, digest}:
        raise BadPackage(
            f"{path} has the SHA-256 {digest}, not {spec.model_content_hash_value}: it is another file, or damaged"
        )
    fields = {field.name: getattr(spec, field.name) for field in attrs.fields(FileModel)}
    fields |= {"name": name, "model_format": package.model_format, "model_config": _config(spec, path)}
    return NamedFile(**fields, file=ModelFile(file, package.size, digest))


def _config(spec: FileModel, path: Path) -> ModelConfig | None:
    if spec.model_config is not None or str(spec.function_name).upper() in _NEED_NO_CONFIG:
        return spec.model_config
    try:
        return read_config(path)
    except BadPackage as error:
        raise BadPackage(f"model_config is not given, and {error}") from error
