"""The same documents embedded on a local Ray and by one process: times, and a check that all vectors are equal.

    python -m benchmarks.ingest_ray [--documents N] [--actors N]

Both read one Parquet file of synthetic documents and write Parquet: Ray Data with
``aiomlcommons.integrations.ray.Embed`` in two actors, one process with ``ml.ingest``. The model is the emulator's, in
its own process, shared by all of them; so on one machine Ray cannot be faster, and the difference is its overhead.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
import ray

from aiomlcommons import Session
from aiomlcommons.integrations.ray import Embed
from benchmarks.bulk import DIMENSION, deployed, documents, emulated

ROWS_IN_BLOCK = 2048


async def prepare(url: str) -> str:
    """Return the id of a deployed model."""
    async with Session(url) as ml:
        return await deployed(ml)


async def alone(url: str, model_id: str, source: Path, target: Path) -> None:
    """Embed in this process."""
    async with Session(url) as ml, ml.ingest(source, model=model_id, sink=target) as job:
        await job


@contextmanager
def local_ray(actors: int) -> Iterator[None]:
    """Start Ray on this machine, with two more logical CPUs than actors, for reading and writing."""
    ray.init(address="local", num_cpus=actors + 2, include_dashboard=False, logging_level=logging.ERROR)
    ray.data.DataContext.get_current().enable_progress_bars = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
    try:
        yield
    finally:
        ray.shutdown()


def on_ray(url: str, model_id: str, source: Path, target: Path, actors: int) -> None:
    """Embed in actors."""
    rows = ray.data.read_parquet(str(source)).repartition(target_num_rows_per_block=ROWS_IN_BLOCK)
    rows.map_batches(
        Embed,
        fn_constructor_kwargs={"model": model_id, "url": url, "id": "id"},
        batch_format="pyarrow",
        batch_size=ROWS_IN_BLOCK,
        compute=ray.data.ActorPoolStrategy(size=actors),
    ).write_parquet(str(target))


def equal(one: Path, other: Path) -> int:
    """Return how many documents have bit-identical vectors in both; raise AssertionError if the documents differ."""
    (ids, texts, vectors), (other_ids, other_texts, other_vectors) = read(one), read(other)
    if (ids, texts) != (other_ids, other_texts):
        raise AssertionError("the documents are not the same")
    return int((vectors.view("u4") == other_vectors.view("u4")).all(axis=1).sum())


def read(path: Path) -> tuple[list[str], list[str], Any]:
    """Return ids, texts and vectors of a file or a folder of files, ordered by id."""
    table = pq.read_table(path, columns=["id", "text", "embedding"]).sort_by("id").combine_chunks()
    vectors = table["embedding"].chunk(0).flatten().to_numpy().reshape(-1, DIMENSION)
    return table["id"].to_pylist(), table["text"].to_pylist(), np.ascontiguousarray(vectors)


@contextmanager
def timed(what: str, count: int) -> Iterator[None]:
    """Print the duration of a block."""
    started = time.perf_counter()
    yield
    seconds = time.perf_counter() - started
    print(f"{what:<28} {seconds:6.1f} s  {count / seconds:8,.0f} documents/s", flush=True)


def measure(count: int, actors: int) -> None:
    """Embed both ways, and compare."""
    with emulated() as url, tempfile.TemporaryDirectory() as folder:
        source, single, many = (Path(folder) / name for name in ("source.parquet", "single.parquet", "many"))
        pq.write_table(pa.Table.from_pylist(list(documents(count))), source)
        model_id = asyncio.run(prepare(url))
        with timed("one process, ml.ingest", count):
            asyncio.run(alone(url, model_id, source, single))
        with timed("Ray with its start and end", count), local_ray(actors), timed(f"Ray, {actors} actors", count):
            on_ray(url, model_id, source, many, actors)
        print(f"{equal(single, many):,} of {count:,} vectors are the same, bit by bit")


def main() -> None:
    """Parse the options, and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--actors", type=int, default=2)
    options = parser.parse_args()
    measure(options.documents, options.actors)


if __name__ == "__main__":
    main()
