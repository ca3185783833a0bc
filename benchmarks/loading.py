"""What settings of an index do to a load: documents with ready vectors into a new index of a real server, in turns.

    python -m benchmarks.loading URL [--documents N] [--rounds N] [--engine NAME] [--ways A,B]

No model takes part, so that it is the index that limits. Each way has its turn in each round, in rotating order, after
a warm-up that does not count; the next turn waits until the server is idle. The rate counts until settings are put back
and all documents can be searched; CPU is that of all nodes until they are idle again. The vectors are of length 1, in
clusters, as those of texts are.

Replicas cost only what there is a node for: ``replicas`` and ``replicas off`` need two or more.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

import attrs
import numpy as np

from aiomlcommons import Session
from aiomlcommons.ingest import Documents, IndexSink
from benchmarks.searching import Target

DIMENSION, CLUSTERS, BATCH, AT_ONCE = 384, 200, 64, 16
INDEX = "benchmark-loading"


@attrs.frozen
class Way:
    """Settings of the index during the load, those to put back after it, and options of the sink."""

    settings: Mapping[str, Any] = attrs.field(factory=dict)
    after: Mapping[str, Any] = attrs.field(factory=dict)
    sink: Mapping[str, Any] = attrs.field(factory=dict)


WAYS: Mapping[str, Way] = {
    "as it comes": Way(),
    "numbers": Way(sink={"base64": False}),
    "refresh_interval -1": Way({"refresh_interval": "-1"}, {"refresh_interval": None}),
    "refresh_interval 30s": Way({"refresh_interval": "30s"}, {"refresh_interval": None}),
    "translog async": Way({"translog.durability": "async"}),
    "replicas": Way({"number_of_replicas": 1}),
    "replicas off": Way({"number_of_replicas": 1}, sink={"replicas_off": True}),
    "cosinesimil": Way(sink={"space_type": "cosinesimil"}),
    "l2": Way(sink={"space_type": "l2"}),
}


@attrs.frozen
class Turn:
    """The cost of a load: documents a second, milliseconds of the servers' CPU for each, and segments at its end."""

    rate: float
    cpu: float
    segments: int


def documents(count: int) -> list[Documents]:
    """Return batches of documents."""
    chance = np.random.default_rng(0)
    centres = chance.standard_normal((CLUSTERS, DIMENSION))
    vectors = centres[chance.integers(CLUSTERS, size=count)] + 0.5 * chance.standard_normal((count, DIMENSION))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype("f4")
    ids = [f"d{number}" for number in range(count)]
    texts = [f"text number {number}, which is as long as a short sentence" for number in range(count)]
    parts = [slice(first, first + BATCH) for first in range(0, count, BATCH)]
    return [Documents(ids[one], [{"text": text} for text in texts[one]], texts[one], vectors[one]) for one in parts]


@attrs.frozen
class Bench:
    """A server, the engine of the index, and the documents."""

    target: Target
    engine: str | None
    batches: Sequence[Documents]

    async def turn(self, way: Way) -> Turn:
        """Load a new index in one way, and remove it."""
        ml, count = self.target.ml, sum(map(len, self.batches))
        create = {"settings": {"index": {"number_of_shards": 1, "number_of_replicas": 0, **way.settings}}}
        options = {"engine": self.engine, "space_type": "innerproduct", **way.sink}
        sink = IndexSink(ml, INDEX, create=create, dimension=DIMENSION, **options)
        before, started = await self.target.cpu(), time.perf_counter()
        await sink.open(None)
        await sink.flush()
        await self._write(sink)
        await sink.close(complete=True)
        if way.after:
            await ml.indices.put_settings(INDEX, {"index": way.after})
        found = await self.target.refresh(INDEX)
        seconds = time.perf_counter() - started
        segments = (await ml.request("GET", f"/{INDEX}/_stats/segments")).json()
        await self.target.rest()
        cpu = await self.target.cpu() - before
        await self.target.remove(INDEX)
        if found != count:
            raise AssertionError(f"{found:,} documents are in the index, and {count:,} were to be")
        return Turn(count / seconds, 1000 * cpu / count, segments["_all"]["primaries"]["segments"]["count"])

    async def _write(self, sink: IndexSink) -> None:
        batches = iter(self.batches)

        async def work() -> None:
            for batch in batches:
                if refused := await sink.write(batch):
                    raise AssertionError(str(refused[0]))

        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(work())


async def measure(url: str, count: int, rounds: int, engine: str | None, names: Sequence[str]) -> None:
    """Run the warm-up and the rounds, and print a line for each way."""
    turns: dict[str, list[Turn]] = {name: [] for name in names}
    async with Session(url, timeout=600) as ml:
        bench = Bench(Target(ml), engine, documents(count))
        await bench.turn(Way())
        for number in range(rounds):
            first = number % len(names)
            for name in [*names[first:], *names[:first]]:
                turns[name].append(await bench.turn(WAYS[name]))
    print(f"{count:,} documents of {DIMENSION} dimensions, {rounds} rounds: medians (and range)")
    for name, some in turns.items():
        rates = [turn.rate for turn in some]
        costs = f"{median(turn.cpu for turn in some):.2f} ms of CPU each"
        segments = f"{median(turn.segments for turn in some):.0f} segments"
        print(
            f"{name:<22}{median(rates):6,.0f} documents/s ({min(rates):,.0f} to {max(rates):,.0f}); {costs}; {segments}"
        )


def main() -> None:
    """Parse the options, and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", help="of a server with k-NN")
    parser.add_argument("--documents", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--engine", help="default: the server's own")
    parser.add_argument("--ways", default=",".join(WAYS), help=f"with commas between them: {', '.join(WAYS)}")
    options = parser.parse_args()
    asyncio.run(measure(options.url, options.documents, options.rounds, options.engine, options.ways.split(",")))


if __name__ == "__main__":
    main()
