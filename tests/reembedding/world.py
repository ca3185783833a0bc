<<<<<<< HEAD
"""A cluster with an index of ten documents behind an alias, an old model, and a new one of another dimension."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import attrs
import orjson

from aiomlcommons import Session
from aiomlcommons.api.aliases import AddAlias
from aiomlcommons.emulator import AT_ONCE, Cluster, Emulator
from aiomlcommons.ingest import IndexSink
from tests.support.jobs import NOW

OLD, NEW = "all-MiniLM-L6-v2", "all-mpnet-base-v2"
CREATED = "docs-all-mpnet-base-v2"
ROWS = [{"id": f"d{number}", "text": f"text number {number}", "year": number} for number in range(10)]
=======
"""What a trial needs on a cluster: two models, an index with the vectors of the old one, and its alias."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import attrs

from aiomlcommons import NotFound, Session
from aiomlcommons.api.search_processors import NeuralQueryEnricher
from aiomlcommons.ingest import IndexSink
from tests.reembedding.words import text_of
from tests.support.contract.kinds import forget, spec_of
from tests.support.model_files import other_weights
from tests.support.paths import MODELS

FIELD = "embedding"
DIMENSION = 16
>>>>>>> h2


@attrs.frozen
class World:
<<<<<<< HEAD
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
    async with emulated.serve() as url, Session(url, backoff=NOW) as ml:
        await ml.settings.allow_first_model()
        old = (await ml.models.ensure(OLD, backoff=NOW)).model_id
        NEW_ID[url] = (await ml.models.ensure(NEW, backoff=NOW)).model_id
        whole = {"settings": {"index": {"number_of_replicas": 0}}, **(body or {})}
        await ml.indices.create_for(old, "docs", body=whole)
        await ml.indices.update_aliases([AddAlias("docs", "live")])
        if filled:
            await ml.ingest(ROWS, model=old, sink=IndexSink(ml, "docs"))
        yield World(ml, emulated.cluster, url, old)
        NEW_ID.pop(url)
=======
    """The names of a trial, and the ids of its models. ``prefix`` begins each name."""

    prefix: str
    old: str
    new: str

    @property
    def index(self) -> str:
        """The index that is re-embedded."""
        return f"{self.prefix}-docs"

    @property
    def alias(self) -> str:
        """The alias by which everybody reads and writes."""
        return f"{self.prefix}-live"

    @property
    def target(self) -> str:
        """The new index."""
        return f"{self.prefix}-docs-new"

    def asks(self, which: str) -> str:
        """Return the search pipeline that asks the old or the new model about queries."""
        return f"{self.prefix}-asks-{which}"


@asynccontextmanager
async def world(ml: Session, prefix: str, dimension: int) -> AsyncGenerator[World]:
    """Yield names and models, and remove all that has these names afterwards.

    The models are made of one file, with other weights. ``dimension`` is that of the new one: only models of the
    emulator have another one than their file says, and there it is what tells their vectors apart.
    """
    names = f"{prefix}-old", f"{prefix}-new"
    with tempfile.TemporaryDirectory() as folder:
        old = spec_of("dense", MODELS / "tiny-dense.zip", names[0])
        other = spec_of("dense", other_weights(MODELS / "tiny-dense.zip", Path(folder) / "other.zip"), names[1])
        assert other.model_config is not None
        new = attrs.evolve(other, model_config=attrs.evolve(other.model_config, embedding_dimension=dimension))
        made = World(prefix, *[str(await ml.models.ensure(one, change_settings=True)) for one in (old, new)])
        try:
            await clear(ml, made)
            yield made
        finally:
            await clear(ml, made)
            for name in names:
                await forget(ml, name)


async def clear(ml: Session, made: World) -> None:
    """Remove the indices and pipelines of a trial."""
    for index in await ml.indices.get(f"{made.prefix}-docs*"):
        await ml.indices.put_settings(index, {"index.blocks.write": None})
        await ml.indices.delete(index)
    for which in ("old", "new"):
        with suppress(NotFound):
            await ml.pipelines.delete_search(made.asks(which))


async def fill(ml: Session, made: World, documents: int, shards: int) -> None:
    """Make the index, with documents d0, d1 and so on, each with the old model's vector of its text."""
    for which, model in (("old", made.old), ("new", made.new)):
        await ml.pipelines.create_search(
            made.asks(which), request_processors=[NeuralQueryEnricher(default_model_id=model)]
        )
    field = {"type": "knn_vector", "dimension": DIMENSION, "method": {"name": "hnsw", "engine": "lucene"}}
    body: dict[str, Any] = {
        "settings": {
            "index": {
                "number_of_shards": shards,
                "number_of_replicas": 0,
                "knn": True,
                "search.default_pipeline": made.asks("old"),
            }
        },
        "mappings": {"properties": {"text": {"type": "text"}, "n": {"type": "integer"}, FIELD: field}},
        "aliases": {made.alias: {}},
    }
    sink = IndexSink(ml, made.index, create=body, field=FIELD)
    report = await ml.ingest(_rows(documents), model=made.old, sink=sink, batch=256)
    assert report.written == documents, report
    await ml.indices.refresh(made.index)


def _rows(documents: int) -> Iterator[dict[str, Any]]:
    for number in range(documents):
        yield {"id": f"d{number}", "text": text_of(f"d{number}", 0), "n": 0}
>>>>>>> h2
