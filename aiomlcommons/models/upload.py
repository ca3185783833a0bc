"""A local model file to the cluster, in chunks."""

from __future__ import annotations

import hashlib
from os import PathLike
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

import anyio.to_thread

from aiomlcommons.api.models import CHUNK_SIZE

if TYPE_CHECKING:
    from aiomlcommons.session import Session


async def upload_model(
    ml: Session,
    path: str | PathLike[str],
    *,
    name: str,
    model_format: Literal["TORCH_SCRIPT", "ONNX"] = "TORCH_SCRIPT",
    **meta: Any,
) -> str:
    """Register a model from a local zip file and return its id; deploy it with ``ml.models.deploy``.

    The file is read in chunks of 10,000,000 bytes off the event loop, so memory does not grow with it. ``meta`` are
    further fields of ``RegisterModelMeta``: ``version``, ``function_name``, ``model_config``, ``model_group_id``.
    Raises OSError where the file cannot be read, ApiError where the cluster refuses.

    https://docs.opensearch.org/latest/ml-commons-plugin/custom-local-models/
    """
    file = Path(path)
    size = await anyio.to_thread.run_sync(lambda: file.stat().st_size)
    registered = await ml.models.register_meta(
        name=name,
        model_format=model_format,
        model_content_hash_value=await anyio.to_thread.run_sync(_sha256, file),
        model_content_size_in_bytes=size,
        total_chunks=max(1, -(-size // CHUNK_SIZE)),
        **meta,
    )
    stream: IO[bytes] = await anyio.to_thread.run_sync(lambda: file.open("rb"))
    try:
        number = 0
        while chunk := await anyio.to_thread.run_sync(stream.read, CHUNK_SIZE):
            await ml.models.upload_chunk(registered.model_id, number, chunk)
            number += 1
    finally:
        await anyio.to_thread.run_sync(stream.close)
    return registered.model_id


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
