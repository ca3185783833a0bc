"""Documents into a real OpenSearch k-NN index, beside two loops around opensearch-py that do the same job.

    python -m benchmarks.ingest_opensearch [--documents N]

The model is the emulator's, in a process of its own; the index is that of a real server (see tests/opensearch). Each
program embeds and indexes the same documents into an index of its own, which is then searched. The programs: ours, with
checkpoint and dead letters; opensearch-py's ``async_streaming_bulk`` over batches embedded one after the other; and
plain rounds of batches that are gathered.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

from opensearchpy import AsyncOpenSearch
from opensearchpy.helpers import async_streaming_bulk

from aiomlcommons import Session
from aiomlcommons.ingest.sinks import IndexSink
from tests.opensearch.server import running

MODEL = "all-MiniLM-L6-v2"
DIMENSION = 384
BATCH = 64
AT_ONCE = 8
MAPPING: dict[str, Any] = {
    "settings": {"index": {"knn": True, "number_of_shards": 1, "refresh_interval": "30s"}},
    "mappings": {
        "properties": {
            "embedding": {
                "type": "knn_vector",
                "dimension": DIMENSION,
                "method": {"name": "hnsw", "engine": "lucene", "space_type": "cosinesimil"},
            }
        }
    },
}
Rows: TypeAlias = list[dict[str, str]]
Program: TypeAlias = Callable[[Session, str, str, str, Rows], Coroutine[Any, Any, None]]


async def ours(ml: Session, model_id: str, url: str, index: str, rows: Rows) -> None:
    """The package's own job."""
    with tempfile.TemporaryDirectory() as folder:
        async with Session(url) as target:
            sink = IndexSink(target, index, create=MAPPING, dimension=DIMENSION)
            note = Path(folder) / "note"
            async with ml.ingest(rows, model=model_id, sink=sink, checkpoint=note, batch=BATCH, ordered=False) as job:
                report = await job
    if report.written != len(rows):
        raise AssertionError(str(report))


async def streaming_bulk(ml: Session, model_id: str, url: str, index: str, rows: Rows) -> None:
    """One batch after the other through ``async_streaming_bulk``."""
    async with AsyncOpenSearch(url) as client:
        await client.indices.create(index=index, body=MAPPING)
        async for ok, item in async_streaming_bulk(client, _actions(ml, model_id, index, rows), chunk_size=BATCH * 4):
            if not ok:
                raise AssertionError(str(item))


async def _actions(ml: Session, model_id: str, index: str, rows: Rows) -> AsyncIterator[dict[str, Any]]:
    for batch in _batches(rows):
        vectors = await ml.embed_many(model_id, [row["text"] for row in batch])
        for row, vector in zip(batch, vectors.tolist(), strict=True):
            yield {"_index": index, "_id": row["id"], **row, "embedding": vector}


async def gathered(ml: Session, model_id: str, url: str, index: str, rows: Rows) -> None:
    """Rounds of batches that are gathered, each embedded and sent by ``bulk``."""
    async with AsyncOpenSearch(url) as client:
        await client.indices.create(index=index, body=MAPPING)

        async def one(batch: Rows) -> None:
            vectors = await ml.embed_many(model_id, [row["text"] for row in batch])
            lines: list[dict[str, Any]] = []
            for row, vector in zip(batch, vectors.tolist(), strict=True):
                lines += [{"index": {"_index": index, "_id": row["id"]}}, {**row, "embedding": vector}]
            if (await client.bulk(body=lines))["errors"]:
                raise AssertionError("a bulk request had errors")

        batches = list(_batches(rows))
        for start in range(0, len(batches), AT_ONCE):
            await asyncio.gather(*map(one, batches[start : start + AT_ONCE]))


def _batches(rows: Rows) -> Iterator[Rows]:
    return (rows[start : start + BATCH] for start in range(0, len(rows), BATCH))


PROGRAMS: dict[str, Program] = {
    "aiomlcommons": ours,
    "async_streaming_bulk": streaming_bulk,
    "gather and bulk": gathered,
}


@contextmanager
def emulated() -> Iterator[str]:
    """The URL of an emulator in a process of its own."""
    command = [sys.executable, "-m", "aiomlcommons", "emulator", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        line = process.stdout.readline() if process.stdout else ""
        yield line.split(" at ")[1].split(";")[0]
        process.terminate()


async def nearest(ml: Session, model_id: str, url: str, index: str, row: dict[str, str]) -> str:
    """The id of the document that a k-NN query finds for the row's own text."""
    vector = await ml.embed_one(model_id, row["text"])
    query = {"knn": {"embedding": {"vector": vector.tolist(), "k": 1}}}
    async with Session(url) as target:
        await target.request("POST", f"/{index}/_refresh")
        got = await target.request("POST", f"/{index}/_search", body={"size": 1, "query": query})
    found: str = got.json()["hits"]["hits"][0]["_id"]
    return found


async def measure(count: int) -> None:
    """Run each program, and print its rate."""
    rows = [
        {"id": f"d{n}", "text": f"document {n} tells of {n * 7919 % 10007} and of {n * 31 % 977}"} for n in range(count)
    ]
    with emulated() as models:
        async with running() as url, Session(models) as ml:
            await ml.settings.allow_first_model()
            model_id = (await ml.models.ensure(MODEL)).model_id
            # The server's first thousands of documents are slow, whoever sends them.
            await gathered(ml, model_id, url, "warm", rows[: max(BATCH, count // 5)])
            rates: dict[str, float] = {}
            for number, (name, program) in enumerate(PROGRAMS.items()):
                started = time.perf_counter()
                await program(ml, model_id, url, f"docs{number}", rows)
                rates[name] = count / (time.perf_counter() - started)
                found = await nearest(ml, model_id, url, f"docs{number}", rows[count // 2])
                right = "right" if found == rows[count // 2]["id"] else f"wrong: {found}"
                ratio = rates[name] / rates["aiomlcommons"]
                print(f"{name:<22} {rates[name]:8,.0f} documents/s  {ratio:5.2f} x ours  nearest neighbour {right}")


def main() -> None:
    """Read the options, and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=100_000)
    asyncio.run(measure(parser.parse_args().documents))


if __name__ == "__main__":
    main()
