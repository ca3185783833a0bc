"""Resumable upload of a local model file in chunks, several in flight at once, verified by SHA-256."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import TYPE_CHECKING

import anyio.to_thread
import attrs

from aiomlcommons.api.model_records import ModelState
from aiomlcommons.api.model_registration import CHUNK_SIZE
from aiomlcommons.api.models import SearchModels
from aiomlcommons.concurrency import fan_out
from aiomlcommons.lifecycle.errors import FileChanged
from aiomlcommons.progress.event import Phase, Progress, Tell

if TYPE_CHECKING:
    from aiomlcommons.client import Client

UNFINISHED = {ModelState.REGISTERING, ModelState.UPLOADING}
_PAGE = 500


@attrs.frozen
class ModelFile:
    """A model's zip file as of its check. ``sha256`` is in hex, ``size`` in bytes."""

    path: Path
    size: int
    sha256: str

    @property
    def total_chunks(self) -> int:
        """The number of chunks of 10,000,000 bytes; the last one may be shorter."""
        return max(1, -(-self.size // CHUNK_SIZE))


async def uploaded_chunks(ml: Client, model_id: str, total: int) -> set[int]:
    """Return the numbers (from 0) of a model's chunks that the cluster has."""
    found: set[int] = set()
    for start in range(0, total, _PAGE):
        ids = [f"{model_id}_{number}" for number in range(start, min(start + _PAGE, total))]
        body = {"query": {"ids": {"values": ids}}, "size": len(ids), "_source": ["chunk_number"]}
        page = await ml.send(SearchModels(body))
        found |= {int(hit.id.rpartition("_")[2]) for hit in page}
    return found


@attrs.define
class Upload:
    """Sends the chunks of a registered model's file that are not in ``uploaded``; resumable.

    The server completes the model when the last chunk arrives. So that one is sent after all others, and only once the
    SHA-256 of the whole file has been verified.
    """

    ml: Client
    model_id: str
    file: ModelFile
    uploaded: set[int]
    teller: Tell
    last: bytes = attrs.field(default=b"", repr=False)

    async def __call__(self, concurrency: int) -> None:
        """Upload the missing chunks, ``concurrency`` of them in flight and in memory at once.

        Raises FileChanged, OSError, ApiError.
        """
        self.tell()
        async with fan_out(self.send, self.read(), concurrency=concurrency, ordered=False) as results:
            async for _ in results:
                self.tell()
        await self.finish()

    async def read(self) -> AsyncGenerator[tuple[int, bytes]]:
        """Yield the missing chunks except the last. The whole file is read in order to hash it."""
        digest, number = hashlib.sha256(), 0
        async with await anyio.open_file(self.file.path, "rb") as stream:
            while chunk := await stream.read(CHUNK_SIZE):
                await anyio.to_thread.run_sync(digest.update, chunk)
                if number == self.file.total_chunks - 1:
                    self.last = chunk
                elif number not in self.uploaded:
                    yield number, chunk
                number += 1
        if digest.hexdigest() != self.file.sha256:
            raise FileChanged(
                f"{self.file.path} was changed while it was uploaded: its SHA-256 was {self.file.sha256} and is now "
                f"{digest.hexdigest()}; upload it again once nothing writes to it"
            )

    async def send(self, numbered: tuple[int, bytes]) -> None:
        number, chunk = numbered
        await self.ml.models.upload_chunk(self.model_id, number, chunk)
        self.uploaded.add(number)

    async def finish(self) -> None:
        # The last chunk resets the model's record, which must not happen if another client has completed the model.
        if (await self.ml.models.get(self.model_id)).model_state not in UNFINISHED:
            return
        await self.send((self.file.total_chunks - 1, self.last))
        self.tell()

    def tell(self) -> None:
        size = min(self.file.size, len(self.uploaded) * CHUNK_SIZE)
        self.teller(
            Progress(
                phase=Phase.UPLOADING,
                name=self.file.path.name,
                model_id=self.model_id,
                done=size,
                total=self.file.size,
                unit="bytes",
            )
        )
