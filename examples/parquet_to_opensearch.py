"""Embed a Parquet file on Ray, write it to an OpenSearch index, and search that index.

    pip install "aiomlcommons[ray]"
    [OPENSEARCH_URL=https://host:9200] python examples/parquet_to_opensearch.py [--emulator]

1,137 verses are read from Parquet and embedded by two actors; a third one writes them to the index ``verses``, which is
created if it does not exist. Then the index is searched for the verses that are nearest to a question. Model and index
are on the cluster of OPENSEARCH_URL, or on the embedded emulator; with --emulator only the vectors are those of the
emulator, for a cluster without ML Commons.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.json  # type: ignore[import-untyped]
import pyarrow.parquet  # type: ignore[import-untyped]
from cluster import CORPUS, on_emulator, session

from aiomlcommons import Session, emulator
from aiomlcommons.integrations.ray import Embed, Index
from aiomlcommons.queries import knn

try:
    import ray
except ImportError:
    print("Ray is not installed: pip install 'aiomlcommons[ray]'")
    sys.exit(0)

QUESTION = "a soft answer turns away anger"
# The sink adds the type and the model's dimension to the field.
FIELD = {"method": {"name": "hnsw", "engine": "lucene", "space_type": "cosinesimil"}}
CREATE = {"mappings": {"properties": {"embedding": FIELD, "text": {"type": "text"}}}}


def embed_and_write(source: Path, embed: Mapping[str, Any], index: Mapping[str, Any]) -> int:
    """Return the number of rows that were read, embedded and written, in blocks."""
    # Logical CPUs for three actors and for reading.
    ray.init(address="local", num_cpus=5, include_dashboard=False, logging_level=logging.ERROR)
    try:
        rows = ray.data.read_parquet(str(source)).repartition(target_num_rows_per_block=100)
        embedded = rows.map_batches(
            Embed,
            fn_constructor_kwargs={**embed, "id": "id"},
            batch_format="pyarrow",
            batch_size=100,
            compute=ray.data.ActorPoolStrategy(size=2),
        )
        written = embedded.map_batches(
            Index,
            fn_constructor_kwargs={**index, "create": CREATE},
            batch_format="pyarrow",
            compute=ray.data.ActorPoolStrategy(size=1),
        )
        return int(written.count())
    finally:
        ray.shutdown()


async def nearest(cluster: Session, index: str, vector: Any) -> list[str]:
    """Return the texts of the three nearest documents."""
    await cluster.indices.refresh(index)
    return [hit.source["text"] for hit in await cluster.search(index, knn("embedding", vector, k=3), size=3)]


async def run(ml: Session, cluster: Session, model: str, index: str, *urls: str | None) -> None:
    """Embed with the model of one session into an index of the other; ``urls`` are where the actors find the two."""
    before = await ml.settings.allow_first_model()
    ensured = await ml.models.ensure(model, progress=print)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "verses.parquet")
        pa.parquet.write_table(pa.json.read_json(CORPUS), source)
        embed, write = {"model": ensured, "url": urls[0]}, {"index": index, "url": urls[1]}
        rows = await asyncio.to_thread(embed_and_write, source, embed, write)
    print(f"{rows:,} documents are in the index {index}; nearest to {QUESTION!r} are")
    for text in await nearest(cluster, index, await ml.embed_one(ensured, QUESTION)):
        print(f"  {text}")
    await ml.settings.apply(before)


async def main(model: str, index: str, *, emulated: bool) -> None:
    async with session() as cluster:
        # The actors read the address of your cluster from the environment, with user and password.
        own = cluster.url if on_emulator() else None
        if on_emulator() or not emulated:
            await run(cluster, cluster, model, index, own, own)
            return
        async with emulator.serve() as url, Session(url) as ml:
            await run(ml, cluster, model, index, url, own)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="all-MiniLM-L6-v2", metavar="NAME_OR_ID")
    parser.add_argument("--index", default="verses")
    parser.add_argument("--emulator", action="store_true", help="embed with the embedded emulator")
    given = parser.parse_args()
    asyncio.run(main(given.model, given.index, emulated=given.emulator))
