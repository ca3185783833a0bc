"""A local model file to the cluster, in chunks: several at once, resumed where some are missing."""

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
from aiomlcommons.lifecycle.progress import Phase, Progress, Report

if TYPE_CHECKING:
    from aiomlcommons.client import Client

IN_FLIGHT = 4
UNFINISHED = {ModelState.REGISTERING, ModelState.UPLOADING}
_PAGE = 500


@attrs.frozen
class ModelFile:
    """A model's zip file as it was when it was checked. ``sha256`` is in hex, ``size`` in bytes."""

    path: Path
    size: int
    sha256: str

    @property
    def total_chunks(self) -> int:
        """How many chunks of 10,000,000 bytes it has; the last one may be shorter."""
        return max(1, -(-self.size // CHUNK_SIZE))


async def uploaded_chunks(ml: Client, model_id: str, total: int) -> set[int]:
    """The numbers of a model's chunks that the cluster has."""
    found: set[int] = set()
    for start in range(0, total, _PAGE):
        ids = [f"{model_id}_{number}" for number in range(start, min(start + _PAGE, total))]
        body = {"query": {"ids": {"values": ids}}, "size": len(ids), "_source": ["chunk_number"]}
        page = await ml.send(SearchModels(body))
        found |= {int(hit.id.rpartition("_")[2]) for hit in page.hits.hits}
    return found


@attrs.define
class Upload:
    """Sends the chunks of a registered model's file but those that are ``there``.

    The server takes a model for whole when its last chunk comes, so that one is sent when all others are there and the
    file has proved to be what was announced.
    """

    ml: Client
    model_id: str
    file: ModelFile
    there: set[int]
    report: Report
    last: bytes = attrs.field(default=b"", repr=False)

    async def __call__(self, concurrency: int = IN_FLIGHT) -> None:
        """Send them, so many at once; memory holds as many. Raises FileChanged, OSError, ApiError."""
        self.tell()
        async with fan_out(self.send, self.read(), concurrency=concurrency, ordered=False) as results:
            async for _ in results:
                self.tell()
        await self.finish()

    async def read(self) -> AsyncGenerator[tuple[int, bytes]]:
        """The chunks that are missing, but for the last. All of the file is read, because all of it is hashed."""
        digest, number = hashlib.sha256(), 0
        async with await anyio.open_file(self.file.path, "rb") as stream:
            while chunk := await stream.read(CHUNK_SIZE):
                await anyio.to_thread.run_sync(digest.update, chunk)
                if number == self.file.total_chunks - 1:
                    self.last = chunk
                elif number not in self.there:
                    yield number, chunk
                number += 1
        if digest.hexdigest() != self.file.sha256:
            raise FileChanged(
                f"{self.file.path} was changed while it was uploaded: its SHA-256 was {self.file.sha256} and is now "
                f"{digest.hexdigest()}; upload it again when nobody writes to it"
            )

    async def send(self, numbered: tuple[int, bytes]) -> None:
        number, chunk = numbered
        await self.ml.models.upload_chunk(self.model_id, number, chunk)
        self.there.add(number)

    async def finish(self) -> None:
        # The last chunk begins the model's record anew, which must not happen to one that somebody else made whole.
        if (await self.ml.models.get(self.model_id)).model_state not in UNFINISHED:
            return
        await self.send((self.file.total_chunks - 1, self.last))
        self.tell()

    def tell(self) -> None:
        done, total = len(self.there), self.file.total_chunks
        size = min(self.file.size, done * CHUNK_SIZE)
        self.report(
            Progress(
                phase=Phase.UPLOADING,
                name=self.file.path.name,
                model_id=self.model_id,
                bytes_done=size,
                bytes_total=self.file.size,
                chunks_done=done,
                chunks_total=total,
            )
        )
