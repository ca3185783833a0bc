"""A cluster with an index of ten documents behind an alias, an old model, and a new one of another dimension."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from unittest import mock

import attrs
import orjson

from aiomlcommons import Session
from aiomlcommons.api.aliases import AddAlias
from aiomlcommons.emulator import AT_ONCE, Cluster, Emulator
from aiomlcommons.ingest import IndexSink
from aiomlcommons.reembedding import steps
from tests.support.jobs import NOW

OLD, NEW = "all-MiniLM-L6-v2", "all-mpnet-base-v2"
CREATED = "docs-all-mpnet-base-v2"
ROWS = [{"id": f"d{number}", "text": f"text number {number}", "year": number} for number in range(10)]


@attrs.frozen
class World:
    """A session with the cluster, and the cluster itself; ``old`` is the id of the model that made the vectors."""

    ml: Session
    cluster: Cluster
    url: str
    old: str

    async def leads_to(self) -> set[str]:
        """Return the indices behind the alias."""
        return set(await self.ml.indices.aliases(name="live"))

    async def write(self, *documents: Mapping[str, Any], index: str = "live") -> None:
        """Write documents through the alias, as a program does that knows nothing of the re-embedding."""
        lines = [line for row in documents for line in ({"index": {"_id": row["id"]}}, row)]
        await self._bulk(lines, index)

    async def delete(self, *keys: str, index: str = "live") -> None:
        """Delete documents through the alias."""
        await self._bulk([{"delete": {"_id": key}} for key in keys], index)

    async def _bulk(self, lines: list[Any], index: str) -> None:
        body = b"".join(orjson.dumps(line) + b"\n" for line in lines)
        found = await self.ml.documents.bulk(body, index=index, refresh=True)
        assert not found.errors, found.failed

    async def texts(self, index: str = "live") -> dict[str, str]:
        """Return the texts of all documents by their ids."""
        return {hit.id: hit.source["text"] async for hit in self.ml.search(index, source=["text"])}

    async def nearest(self, text: str) -> str:
        """Return the document that a search of the text finds, through the alias, in whatever field there is."""
        (field,) = {name for one in await self._vectors() for name in one}
        (dimension,) = {spec["dimension"] for one in await self._vectors() for spec in one.values()}
        vector = await self.ml.embed_one(self.old if dimension == 384 else NEW_ID[self.url], text)
        hits = await self.ml.search("live", {"knn": {field: {"vector": vector.tolist(), "k": 1}}}, size=1)
        return next(iter(hits)).id

    async def _vectors(self) -> list[dict[str, Any]]:
        found = await self.ml.indices.mapping("live")
        fields = [one.mappings["properties"] for one in found.values()]
        return [{name: spec for name, spec in one.items() if spec["type"] == "knn_vector"} for one in fields]


# The id of the new model by the URL of its cluster.
NEW_ID: dict[str, str] = {}


@asynccontextmanager
async def world(body: Mapping[str, Any] | None = None, *, filled: bool = True) -> AsyncGenerator[World]:
    """Serve the cluster; ``body`` are further settings and mappings of the index."""
    emulated = Emulator(refresh=AT_ONCE)
    # What is written here is there at once: nothing waits in a queue.
    quiet = mock.patch.object(steps, "QUIET", 0.0)
    async with emulated.serve() as url, Session(url, backoff=NOW) as ml:
        await ml.settings.allow_first_model()
        old = (await ml.models.ensure(OLD, backoff=NOW)).model_id
        NEW_ID[url] = (await ml.models.ensure(NEW, backoff=NOW)).model_id
        whole = {"settings": {"index": {"number_of_replicas": 0}}, **(body or {})}
        await ml.indices.create_for(old, "docs", body=whole)
        await ml.indices.update_aliases([AddAlias("docs", "live")])
        if filled:
            await ml.ingest(ROWS, model=old, sink=IndexSink(ml, "docs"))
        with quiet:
            yield World(ml, emulated.cluster, url, old)
        NEW_ID.pop(url)
