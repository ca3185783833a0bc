"""Documents into a real OpenSearch with neural-search, embedded by the client or by an ingest pipeline of the server.

    python -m benchmarks.server_side --url URL [--documents N] [--rounds N] [--lossy N] [--only rates|losses]

The remote model is a provider in a process of its own (see ``provider.py``). The ways take turns in rounds, each with
new index, and a turn ends when all documents can be searched; CPU of the server is counted until it is idle again.

``rates``: a provider that takes no time and no offence. Documents/s, and CPU of server and client for each 1,000
documents: medians (and ranges) of the rounds.

``losses``: a provider that takes 50 ms, answers 429 where more than 8 requests are there at once, and refuses some
documents; others have no text. For pipelines with a ``batch_size`` of 1, 10 and 64: how many of the good documents
are in the index with a vector, how many bad ones are there without one, and whether the accounts balance.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from statistics import median
from typing import Any

import attrs

from aiomlcommons import NotFound, RemoteModel, Session, connectors
from aiomlcommons.api.processors import TextEmbedding
from benchmarks.bulk import DIMENSION, Document, documents
from benchmarks.provider import POISON, providing
from benchmarks.searching import Target
from benchmarks.server_side_ways import LOSSY, RATES, Task, Way

NAME = "benchmark-server-side"
FASTEST = 64
BATCH_SIZES = (1, 10, 64)
SECONDS, MOST = 0.05, 8
# Of so many documents one is refused by the provider, and one has no text.
ONE_IN = 200
WORDS = ("", "  ", None)
MAPPING: dict[str, Any] = {
    "settings": {"index": {"knn": True, "number_of_shards": 1, "number_of_replicas": 0}},
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


@attrs.frozen
class Turn:
    """What one turn did: seconds, CPU of client and server, the indexed documents, with a vector and without."""

    seconds: float
    client: float
    server: float
    good: int
    bare: int
    note: str

    def rate(self, count: int) -> float:
        """Return the documents that were indexed with a vector a second."""
        return self.good / self.seconds if count else 0.0


@attrs.frozen
class Bench:
    """A server, and a remote model on it."""

    ml: Session
    model_id: str
    folder: Path

    async def pipeline(self, batch_size: int) -> str:
        """Make a pipeline; return its name."""
        name = f"{NAME}-{batch_size}"
        embedding = TextEmbedding(self.model_id, {"text": "embedding"}, batch_size=batch_size)
        await self.ml.pipelines.create(name, processors=[embedding])
        return name

    async def turn(self, way: Way, rows: Sequence[Document], batch_size: int, number: int) -> Turn:
        """Run one way into a new index, look at what is there, and remove it."""
        index, target = f"{NAME}-{number}", Target(self.ml)
        pipeline = await self.pipeline(batch_size)
        await self.ml.request("PUT", f"/{index}", body=MAPPING)
        await target.rest()
        task = Task(self.ml, self.model_id, self.ml.url, index, pipeline, rows, self.folder / str(number))
        server, client, started = await target.cpu(), time.process_time(), time.perf_counter()
        note = await way(task)
        await target.refresh(index)
        seconds, client = time.perf_counter() - started, time.process_time() - client
        good, bare = await self.count(index, has=True), await self.count(index, has=False)
        await target.rest()
        server = await target.cpu() - server
        await self.ml.request("DELETE", f"/{index}")
        return Turn(seconds, client, server, good, bare, note)

    async def count(self, index: str, *, has: bool) -> int:
        """Return how many documents have a vector, or have none."""
        exists = {"exists": {"field": "embedding"}}
        query = {"bool": {"filter" if has else "must_not": exists}}
        response = await self.ml.request("POST", f"/{index}/_count", body={"query": query})
        return int(response.json()["count"])


@asynccontextmanager
async def bench(url: str, provider: str) -> AsyncGenerator[Bench]:
    """Register a remote model at a provider, and remove what was made at the end."""
    with tempfile.TemporaryDirectory() as folder:
        async with Session(url) as ml:
            connector = connectors.openai_embeddings("m", "k", endpoint=provider)
            model = await ml.models.ensure(RemoteModel(name=f"{NAME} at {provider}", connector=connector))
            try:
                yield Bench(ml, model.model_id, Path(folder))
            finally:
                for batch_size in BATCH_SIZES:
                    with suppress(NotFound):
                        await ml.pipelines.delete(f"{NAME}-{batch_size}")
                await ml.models.undeploy(model.model_id)
                await ml.models.delete(model.model_id)


async def rates(url: str, count: int, rounds: int) -> None:
    """Print documents/s and CPU of each way."""
    rows = list(documents(count))
    turns: dict[str, list[Turn]] = {name: [] for name in RATES}
    with providing(DIMENSION) as provider:
        async with bench(url, provider) as on:
            await on.turn(RATES["ml.ingest, pipeline"], rows, FASTEST, 0)  # a cold JIT is not what is measured
            names = list(RATES)
            for turn in range(rounds):
                for name in names[turn % len(names) :] + names[: turn % len(names)]:
                    found = await on.turn(RATES[name], rows, FASTEST, turn)
                    if found.good != count:
                        raise AssertionError(
                            f"{name}: {found.good:,} of {count:,} documents have a vector: {found.note}"
                        )
                    turns[name].append(found)
    print(f"\n{count:,} documents, {rounds} rounds, a remote model of {DIMENSION} dimensions, batch_size {FASTEST}")
    print(f"{'way':32}{'documents/s':>13}{'(range)':>18}{'server CPU s/1,000':>20}{'client CPU s/1,000':>20}")
    for name, some in turns.items():
        each = [found.rate(count) for found in some]
        server = _thousand(some, count, lambda found: found.server)
        client = _thousand(some, count, lambda found: found.client)
        spread = f"({min(each):,.0f} to {max(each):,.0f})"
        print(f"{name:32}{median(each):13,.0f}{spread:>18}{server:>20}{client:>20}", flush=True)


def _thousand(turns: Sequence[Turn], count: int, of: Callable[[Turn], float]) -> str:
    return f"{median(1000 * of(found) / count for found in turns):.3f}"


def spoilt(count: int) -> tuple[list[Document], int]:
    """Return documents of which some are refused by the provider, and others have no text; and how many are good."""
    rows = list(documents(count))
    for number in range(ONE_IN // 4, count, ONE_IN):
        rows[number] = {**rows[number], "text": f"{rows[number]['text']} {POISON}"}
        rows[number + ONE_IN // 2] = {**rows[number + ONE_IN // 2], "text": WORDS[number // ONE_IN % len(WORDS)]}
    good = sum(bool((row["text"] or "").strip()) and POISON not in row["text"] for row in rows)
    return rows, good


async def losses(url: str, count: int) -> None:
    """Print how many documents each way lost, with a provider that throttles and refuses."""
    rows, good = spoilt(count)
    bad = count - good
    print(f"\n{count:,} documents, {good:,} good and {bad} bad; {MOST} requests at once, {SECONDS * 1000:.0f} ms each")
    print(
        f"{'batch_size':>10}  {'way':32}{'good indexed':>13}{'good lost':>10}{'without vector':>15}{'/s':>8}  accounts"
    )
    with providing(DIMENSION, SECONDS, MOST) as provider:
        async with bench(url, provider) as on:
            for batch_size in BATCH_SIZES:
                for number, (name, way) in enumerate(LOSSY.items()):
                    found = await on.turn(way, rows, batch_size, number)
                    print(
                        f"{batch_size:10}  {name:32}{found.good:13,}{good - found.good:10,}{found.bare:15,}"
                        f"{found.rate(count):8,.0f}  {found.note}",
                        flush=True,
                    )


def main() -> None:
    """Parse the options, and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True, help="of a server with neural-search")
    parser.add_argument("--documents", type=int, default=10_000, help="of each turn of the rates")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--lossy", type=int, default=2_000, help="documents of each turn of the losses")
    parser.add_argument("--only", choices=("rates", "losses"))
    options = parser.parse_args()
    if options.only != "losses":
        asyncio.run(rates(options.url, options.documents, options.rounds))
    if options.only != "rates":
        asyncio.run(losses(options.url, options.lossy))


if __name__ == "__main__":
    main()
