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
from aiomlcommons.emulator import Cluster, Emulator
from aiomlcommons.emulator.index import alter
from aiomlcommons.ingest import IndexSink
from tests.reembedding.live.words import text_of
from tests.support.contract.kinds import forget, spec_of
from tests.support.model_files import other_weights
from tests.support.paths import MODELS

FIELD = "embedding"
DIMENSION = 16
"""That of the model file. In the emulator the new model has another one, which is what tells their vectors apart."""
EMULATED = 24


@attrs.frozen
class Server:
    """Where a trial is done, and the dimension of the new model there."""

    url: str
    name: str = "emulator"
    dimension: int = EMULATED


@asynccontextmanager
async def server(url: str | None) -> AsyncGenerator[Server]:
    """Yield the cluster of a URL, or an emulator."""
    if url is None:
        async with Emulator(Cluster(version="3.8.0")).serve() as emulated:
            yield Server(emulated)
        return
    async with Session(url) as ml:
        version = (await ml.request("GET", "/")).json()["version"]["number"]
    yield Server(url, f"OpenSearch {version} with ML Commons", DIMENSION)


@attrs.frozen
class World:
    """The names of a trial, and the ids of its models. ``prefix`` begins each name.

    With ``second`` the new vectors become a second field of the same index.
    """

    prefix: str
    old: str
    new: str
    second: bool = False

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
        """The index that gets the new vectors."""
        return self.index if self.second else f"{self.prefix}-docs-new"

    @property
    def field(self) -> str:
        """The field of the new vectors."""
        return f"{FIELD}_new" if self.second else FIELD

    @property
    def wanted(self) -> dict[str, Any]:
        """The arguments of ``ml.reembed`` that say what is wanted."""
        if self.second:
            return {"index": self.index, "model": self.new, "field": self.field}
        switched = {"alias": self.alias, "target": self.target, "search_pipeline": self.asks("new")}
        return {"index": self.index, "model": self.new, **switched}

    def asks(self, which: str) -> str:
        """Return the search pipeline that asks the old or the new model about queries."""
        return f"{self.prefix}-asks-{which}"


@asynccontextmanager
async def world(ml: Session, prefix: str, dimension: int) -> AsyncGenerator[World]:
    """Yield names and models, and remove all that has these names afterwards.

    The models are made of one file, with other weights. ``dimension`` is that of the new one.
    """
    names = f"{prefix}-old", f"{prefix}-new"
    with tempfile.TemporaryDirectory() as folder:
        old = spec_of("dense", MODELS / "tiny-dense.zip", names[0])
        other = spec_of("dense", other_weights(MODELS / "tiny-dense.zip", Path(folder) / "other.zip"), names[1])
        assert other.model_config is not None
        new = attrs.evolve(other, model_config=alter(other.model_config, embedding_dimension=dimension))
        first, second = [str(await ml.models.ensure(one, change_settings=True)) for one in (old, new)]
        made = World(prefix, first, second)
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
        asks = NeuralQueryEnricher(neural_field_default_id={FIELD: model})
        await ml.pipelines.create_search(made.asks(which), request_processors=[asks])
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
