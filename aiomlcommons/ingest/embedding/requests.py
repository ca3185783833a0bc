"""A job's requests to its model, which return vectors."""

from __future__ import annotations

import attrs

from aiomlcommons.errors import MLCommonsError
from aiomlcommons.inference.vectors import Vectors
from aiomlcommons.ingest.embedding.model import Embed
from aiomlcommons.ingest.embedding.paced import PacedRequests
from aiomlcommons.ingest.pacing.concurrency_limit import Slot
from aiomlcommons.ingest.types import Sparse


@attrs.define
class ModelRequests(PacedRequests[list[str], "Vectors | Sparse"]):
    """The requests of a job to its model: ``embed`` sends one."""

    embed: Embed = attrs.field(kw_only=True)

    async def _send(self, texts: list[str], slot: Slot, /) -> Vectors | Sparse:
        started = self.clock()
        with self.stall.asking():
            try:
                vectors = await self.embed(texts)
            except MLCommonsError as error:
                self._failed(error, slot)
                raise
            self._succeeded(self.clock() - started)
        slot.done(len(texts))
        return vectors
