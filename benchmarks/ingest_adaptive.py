"""Concurrency that a job finds by itself, beside fixed ones, on an emulator whose capacity changes meanwhile.

    python -m benchmarks.ingest_adaptive [--seconds N] [--fixed 1 2 4 ...]

The server works on so many requests at once as CAPACITIES says, each for SERVICE seconds, ``--seconds`` for each
capacity. In the first scenario it refuses the rest, in the second it lets some wait, in the third all; the last one is
the emulator as it is, which computes as fast as it can. Each job runs as long on a server of its own in another
process, and what counts is how many documents were embedded in that time.
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
from aiomlcommons.emulator.pool import Goes, Pool
from aiomlcommons.ingest import Documents

MODEL = "all-MiniLM-L6-v2"
CAPACITIES = (8, 32, 4, 16)
SERVICE = 0.1
FIXED = (1, 2, 4, 8, 16, 32, 64)
ADAPTIVE = (1, 64)
Concurrency: TypeAlias = int | tuple[int, int]


@attrs.frozen
class Scenario:
    """A server: how many requests it lets wait (None: it takes what it can), and how many texts it is sent at once.

    ``part`` of the time is enough for it.
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
    """What a job has done in its time."""

    documents: float
    retried: int
    limits: Sequence[int]


# ---- the server ------------------------------------------------------------------------------------------------------


async def serve(queue: float | None, seconds: float) -> None:
    """Print a URL and answer until standard input is closed; the capacities begin with the first prediction."""
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


async def first(begun: asyncio.Event, _: object, go: Goes) -> web.StreamResponse:
    """The first prediction is answered, and the capacities begin."""
    begun.set()
    return await go()


async def change(pool: Pool, begun: asyncio.Event, seconds: float) -> None:
    """Go through the capacities, once there is something to do."""
    await begun.wait()
    for capacity in CAPACITIES:
        pool.resize(capacity)
        await asyncio.sleep(seconds)


@contextmanager
def serving(queue: float | None, seconds: float) -> Iterator[str]:
    """The URL of such a server in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.ingest_adaptive", "--serve", str(queue), "--seconds", str(seconds)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        # Leaving closes both pipes, which ends the server.
        yield process.stdout.readline().strip() if process.stdout else ""


# ---- the jobs --------------------------------------------------------------------------------------------------------


def rows() -> Iterator[Mapping[str, str]]:
    """Documents without end."""
    return ({"text": f"document {n} tells of {n * 7919 % 10007}"} for n in itertools.count())


async def run(url: str, scenario: Scenario, concurrency: Concurrency, seconds: float) -> Run:
    """A job that is left when its time is over."""
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
    """The sink: what counts is the model."""


def measure(scenario: Scenario, fixed: Sequence[int], seconds: float) -> None:
    """Each concurrency in turn, and a line for each."""
    found: dict[Concurrency, Run] = {}
    print(f"\nthe server {scenario.name}")
    choices: list[Concurrency] = [ADAPTIVE, *fixed]
    for concurrency in choices:
        time = seconds * scenario.part
        if isinstance(concurrency, int) and concurrency <= min(CAPACITIES):
            time /= 4  # to these few, all capacities are alike
        with serving(scenario.queue, time) as url:
            found[concurrency] = asyncio.run(run(url, scenario, concurrency, time))
    best, worst = (kind(found[count].documents for count in fixed) for kind in (max, min))
    for concurrency, one in found.items():
        words = f"adaptive {ADAPTIVE}" if concurrency == ADAPTIVE else f"fixed {concurrency}"
        beside = f"{one.documents / best:5.2f} x best fixed {one.documents / worst:6.2f} x worst"
        print(f"{words:<18} {one.documents:8,.0f} documents/s {beside} {one.retried:6,} retries  limits {one.limits}")


def main() -> None:
    """Read the options, and measure."""
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
