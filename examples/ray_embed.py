"""Embed a Parquet file on Ray and write Parquet.

    pip install "aiomlcommons[ray]"
    python examples/ray_embed.py [--model NAME_OR_ID] [--actors N]

1,137 verses are read from Parquet, embedded by two actors, each with a session of its own, and written to Parquet,
all in a temporary folder. It runs on the embedded emulator, whose vectors are lexical, or on your cluster when
OPENSEARCH_URL names one. On a Ray cluster give ``ray.init`` its address; the actors then need the environment
(``runtime_env={"env_vars": {"OPENSEARCH_URL": ...}}``) and a folder that all machines share.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.json  # type: ignore[import-untyped]
import pyarrow.parquet  # type: ignore[import-untyped]
from cluster import CORPUS, on_emulator, session

from aiomlcommons.integrations.ray import Embed

try:
    import ray
except ImportError:
    print("Ray is not installed: pip install 'aiomlcommons[ray]'")
    sys.exit(0)


def embed(source: Path, target: Path, actors: int, **how: Any) -> None:
    """Read, embed and write; Ray Data streams blocks of rows through the actors."""
    # Two more logical CPUs than actors, for reading and writing.
    ray.init(address="local", num_cpus=actors + 2, include_dashboard=False, logging_level=logging.ERROR)
    try:
        rows = ray.data.read_parquet(str(source))
        # A small file is read as one block, which would leave all but one actor idle.
        rows.repartition(target_num_rows_per_block=100).map_batches(
            Embed,
            fn_constructor_kwargs={**how, "id": "id"},
            batch_format="pyarrow",
            batch_size=100,
            compute=ray.data.ActorPoolStrategy(size=actors),
        ).write_parquet(str(target))
    finally:
        ray.shutdown()


async def main(name: str, actors: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "verses.parquet"), Path(folder, "embedded")
        pa.parquet.write_table(pa.json.read_json(CORPUS), source)
        async with session() as ml:
            before = await ml.settings.allow_first_model()
            # Deploy once, here: the actors find it deployed.
            model = await ml.models.ensure(name, progress=print)
            started = time.perf_counter()
            # The actors read the address of your cluster from the environment, and get that of the emulator.
            how = {"model": model, "url": ml.url if on_emulator() else None}
            await asyncio.to_thread(embed, source, target, actors, **how)
            seconds = time.perf_counter() - started
            await ml.settings.apply(before)
        table = pa.parquet.read_table(target)
        print(f"{table.num_rows:,} documents embedded by {actors} actors in {seconds:.1f} s, with the start of Ray")
        print(f"columns: {', '.join(table.column_names)}")
        print(f"embedding is {table.schema.field('embedding').type}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="all-MiniLM-L6-v2", metavar="NAME_OR_ID")
    parser.add_argument("--actors", default=2, type=int)
    given = parser.parse_args()
    asyncio.run(main(given.model, given.actors))
