"""Documents into a real OpenSearch k-NN index, compared with loops that do the same by opensearch-py or by hand.

    python -m benchmarks.ingest_opensearch [--documents N] [--rounds N] [--short N] [--url URL]

The model is the emulator's, in its own process; the index is that of a real server: one that is started for it (see
tests/opensearch) on the same machine, or the one at URL. The programs are those of ``indexing.py``. A job is 1,137
verses and N synthetic documents, embedded and written into a new index, and ends when they can be searched.

The first program meets a server with a cold JIT, and the next ones may meet one that still merges segments of the
previous one. So the server is warmed up with a job that does not count; an index is deleted after its turn, and the
next turn waits until the server is idle; and the programs take turns in rounds of short jobs, in rotating order. Short
ones, because full ones would take half an hour; then each runs the full job once, ours first. The ratio of the rounds'
medians is the result; the full jobs show whether it holds for more documents.

CPU is that of the client (for the model and the index) and of the server (until it is idle again) for each document.
After each job k-NN queries must find documents by their own texts, and after the full ones the recall of other queries
is measured against an exact comparison of all vectors.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AsyncExitStack
from itertools import pairwise
from statistics import fmean, median

import attrs
import numpy as np

from aiomlcommons import Session
from benchmarks.bulk import Document, deployed, emulated, mixed, verses
from benchmarks.indexing import PROGRAMS, Task
from benchmarks.searching import Target
from tests.support.opensearch.server import running

OURS = next(iter(PROGRAMS))
WARMING = "gather and bulk"
LOOKED_AT, QUERIES, NEAREST = 10, 20, 10


@attrs.frozen
class Turn:
    """The cost of a job: documents per second, and CPU of client and server for each document, in milliseconds."""

    rate: float
    client: float
    server: float
    recall: float | None


@attrs.frozen
class Bench:
    """A model, and an empty server."""

    ml: Session
    model_id: str
    target: Target

    async def turn(self, name: str, rows: Sequence[Document], *, queries: int = 0) -> Turn:
        """Run one job of one program, search its index, and remove it."""
        task = Task(self.ml, self.model_id, self.target.ml.url, "benchmark-documents", rows)
        before, spent, started = await self.target.cpu(), time.process_time(), time.perf_counter()
        await PROGRAMS[name](task)
        count = await self.target.refresh(task.index)
        seconds, spent = time.perf_counter() - started, time.process_time() - spent
        await self.target.rest()
        server = await self.target.cpu() - before
        if count != len(rows):
            raise AssertionError(f"{name}: {count:,} documents are in the index, and {len(rows):,} were to be")
        await self.check(task)
        recall = await self.recall(task, queries) if queries else None
        await self.target.remove(task.index)
        return Turn(count / seconds, 1000 * spent / count, 1000 * server / count, recall)

    async def check(self, task: Task) -> None:
        """Check that documents, verses among them, are found by their own texts; raise AssertionError otherwise."""
        rows = [*random.sample(verses(), LOOKED_AT), *random.sample(task.rows, LOOKED_AT)]
        for row in rows:
            vector = (await self.ml.embed_one(self.model_id, row["text"])).tolist()
            found = (await self.target.nearest(task.index, vector, NEAREST))[0]["_source"]["text"]
            # Not by the id: some verses are duplicates, except for commas.
            if not np.allclose(await self.ml.embed_one(self.model_id, found), vector, atol=1e-6):
                raise AssertionError(f"{found!r} is found for {row['text']!r}")

    async def recall(self, task: Task, queries: int) -> float:
        """Return the share of the nearest documents to new texts that is found."""
        texts = [f"{one['text']} {other['text']}" for one, other in pairwise(random.sample(verses(), queries + 1))]
        vectors = (await self.ml.embed_many(self.model_id, texts)).tolist()
        return fmean([await self.target.recall(task.index, vector, NEAREST) for vector in vectors])


def orders(rounds: int) -> Iterator[list[str]]:
    """Return the order of programs in each round, rotated by one."""
    names = list(PROGRAMS)
    return (names[first:] + names[:first] for first in (number % len(names) for number in range(rounds)))


async def rounds_of(bench: Bench, rows: Sequence[Document], rounds: int) -> dict[str, list[Turn]]:
    """Return the turns of each program."""
    turns: dict[str, list[Turn]] = {name: [] for name in PROGRAMS}
    for order in orders(rounds):
        for name in order:
            turns[name].append(await bench.turn(name, rows))
    return turns


def report(turns: Mapping[str, Sequence[Turn]]) -> None:
    """Print a line for each program: its rates, our rate relative to its median, its costs and its recall."""
    ours = median(turn.rate for turn in turns[OURS])
    for name, some in turns.items():
        rates = [turn.rate for turn in some]
        spread = f" ({min(rates):,.0f} to {max(rates):,.0f})" if len(rates) > 1 else ""
        client, server = median(turn.client for turn in some), median(turn.server for turn in some)
        words = f"ours is {ours / median(rates):4.2f} x; CPU each: client {client:.3f} ms, server {server:.2f} ms"
        found = "".join(f"; recall {turn.recall:.3f}" for turn in some if turn.recall is not None)
        print(f"{name:<21}{median(rates):6,.0f} documents/s{spread}; {words}{found}", flush=True)


async def measure(count: int, short: int, rounds: int, url: str = "") -> None:
    """Run the warm-up, then the rounds, then the full jobs, if those have documents."""
    with emulated() as models:
        async with AsyncExitStack() as stack, Session(models) as ml:
            server = await stack.enter_async_context(Session(url or await stack.enter_async_context(running())))
            bench = Bench(ml, await deployed(ml), Target(server))
            rows = [*verses(), *mixed(short)]
            await bench.turn(WARMING, rows)
            print(f"{len(rows):,} documents, {rounds} rounds: median (and range)", flush=True)
            report(await rounds_of(bench, rows, rounds))
            if not count:
                return
            rows = [*verses(), *mixed(count)]
            print(
                f"{len(rows):,} documents, once; recall is of the {NEAREST} nearest, of {QUERIES} queries", flush=True
            )
            report({name: [await bench.turn(name, rows, queries=QUERIES)] for name in PROGRAMS})


def main() -> None:
    """Parse the options, and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=100_000, help="synthetic documents of a full job; 0: none")
    parser.add_argument("--short", type=int, default=10_000, help="synthetic documents of a job in the rounds")
    parser.add_argument("--rounds", type=int, default=len(PROGRAMS))
    parser.add_argument("--url", default="", help="of a server that runs already")
    options = parser.parse_args()
    asyncio.run(measure(options.documents, options.short, options.rounds, options.url))


if __name__ == "__main__":
    main()
