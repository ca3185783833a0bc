"""Adaptive concurrency of a job compared with fixed values, on an emulator whose capacity changes.

    python -m benchmarks.ingest_adaptive [--seconds N] [--fixed 1 2 4 ...]

The server processes CAPACITIES requests at once, each for SERVICE seconds, and each capacity lasts ``--seconds``. In
the first scenario it rejects further requests, in the second it queues some, in the third all; the last one is the
emulator without a limit. Each job runs equally long on its own server in another process; the result is the number of
documents embedded in that time.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import math
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TypeAlias

import attrs
from aiohttp import web

from aiomlcommons import Session
from aiomlcommons.emulator import Emulator
from aiomlcommons.emulator.pool import CallNext, Pool
from aiomlcommons.ingest import Documents

MODEL = "all-MiniLM-L6-v2"
CAPACITIES = (8, 32, 4, 16)
SERVICE = 0.1
FIXED = (1, 2, 4, 8, 16, 32, 64)
ADAPTIVE = (1, 64)
Concurrency: TypeAlias = int | tuple[int, int]


@attrs.frozen
class Scenario:
    """A server: how many requests it queues (None: no limit of capacity), and the size of batches.

    ``part`` is the fraction of the time that suffices for it.
    """

    name: str
    queue: float | None
    batch: int = 4
    part: float = 1.0


SCENARIOS = (
    Scenario("refuses", 0),
    Scenario("lets 32 wait", 32),
    Scenario("lets all wait", math.inf),
    Scenario("as it is", None, batch=64, part=0.4),
)


@attrs.frozen
class Run:
    """The result of a job in its time."""

    documents: float
    retried: int
    limits: Sequence[int]


# ---- the server ------------------------------------------------------------------------------------------------------


async def serve(queue: float | None, seconds: float) -> None:
    """Print a URL and serve until standard input is closed; the capacities start with the first prediction."""
    emulator = Emulator()
    async with emulator.serve() as url, Session(url) as ml:
        await ml.settings.allow_first_model()
        await ml.models.ensure(MODEL)
        begun = asyncio.Event()
        if queue is not None:
            pool = emulator.faults.limit(CAPACITIES[0], seconds=SERVICE, queue=queue)
            emulator.faults.add(partial(first, begun))
            changing = asyncio.create_task(change(pool, begun, seconds))
        print(url, flush=True)
        await asyncio.to_thread(sys.stdin.read)
        if queue is not None:
            changing.cancel()


async def first(begun: asyncio.Event, _: object, go: CallNext) -> web.StreamResponse:
    """Set the event at the first prediction, and respond."""
    begun.set()
    return await go()


async def change(pool: Pool, begun: asyncio.Event, seconds: float) -> None:
    """Step through the capacities, once the event is set."""
    await begun.wait()
    for capacity in CAPACITIES:
        pool.resize(capacity)
        await asyncio.sleep(seconds)


@contextmanager
def serving(queue: float | None, seconds: float) -> Iterator[str]:
    """Yield the URL of such a server in its own process."""
    command = [sys.executable, "-m", "benchmarks.ingest_adaptive", "--serve", str(queue), "--seconds", str(seconds)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        # The end of the context closes both pipes, which ends the server.
        yield process.stdout.readline().strip() if process.stdout else ""


# ---- the jobs --------------------------------------------------------------------------------------------------------


def rows() -> Iterator[Mapping[str, str]]:
    """Yield documents without end."""
    return ({"text": f"document {n} tells of {n * 7919 % 10007}"} for n in itertools.count())


async def run(url: str, scenario: Scenario, concurrency: Concurrency, seconds: float) -> Run:
    """Run a job until its time is over."""
    limits: list[int] = []
    with tempfile.TemporaryDirectory() as folder:
        async with (
            Session(url) as ml,
            ml.ingest(
                rows(),
                model=MODEL,
                sink=taken,
                id=None,
                batch=scenario.batch,
                concurrency=concurrency,
                ordered=False,
                dead_letters=Path(folder) / "dead.jsonl",
            ) as job,
        ):
            for _ in CAPACITIES:
                await asyncio.sleep(seconds)
                limits.append(job.stats.limit)
            return Run(job.stats.embedded / job.stats.seconds, job.stats.retried, limits)


async def taken(_: Documents) -> None:
    """Discard documents: a sink without costs, since the model is measured."""


def measure(scenario: Scenario, fixed: Sequence[int], seconds: float) -> None:
    """Measure each concurrency in turn, and print a line for each."""
    found: dict[Concurrency, Run] = {}
    print(f"\nthe server {scenario.name}")
    choices: list[Concurrency] = [ADAPTIVE, *fixed]
    for concurrency in choices:
        time = seconds * scenario.part
        if isinstance(concurrency, int) and concurrency <= min(CAPACITIES):
            time /= 4  # with so few requests, the capacity makes no difference
        with serving(scenario.queue, time) as url:
            found[concurrency] = asyncio.run(run(url, scenario, concurrency, time))
    best, worst = (kind(found[count].documents for count in fixed) for kind in (max, min))
    for concurrency, one in found.items():
        words = f"adaptive {ADAPTIVE}" if concurrency == ADAPTIVE else f"fixed {concurrency}"
        beside = f"{one.documents / best:5.2f} x best fixed {one.documents / worst:6.2f} x worst"
        print(f"{words:<18} {one.documents:8,.0f} documents/s {beside} {one.retried:6,} retries  limits {one.limits}")


def main() -> None:
    """Parse the options, and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=2.5, help="for each of the capacities")
    parser.add_argument("--fixed", type=int, nargs="+", default=FIXED)
    parser.add_argument("--scenario", type=int, nargs="+", default=range(len(SCENARIOS)))
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(serve(None if options.serve == "None" else float(options.serve), options.seconds))
        return
    for number in options.scenario:
        measure(SCENARIOS[number], options.fixed, options.seconds)


if __name__ == "__main__":
    main()
