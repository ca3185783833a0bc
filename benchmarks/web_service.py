"""The example web service under load, beside bare calls of the cluster behind it: failures, and latency at p50 and p99.

    python -m benchmarks.web_service [--calls N] [--callers N ...] [--seconds S] [--url URL --model ID]

Cluster, service and callers are processes of their own. The emulator takes ``--seconds`` for a prediction, as a model
does. So many callers call at once, each again as soon as it has its answer, and the two ways take turns. ``--url`` and
``--model`` name a cluster in its place.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeAlias

import aiohttp
import attrs
import numpy as np

from aiomlcommons import BearerAuth, MLCommonsError, Session
from aiomlcommons.emulator import Emulator
from tests.support.paths import ROOT

ROUNDS = 5
TEXT = "a soft answer turneth away wrath"
TOKEN = "token-of-ann"  # noqa: S105 - nobody's
Call: TypeAlias = Callable[[], Awaitable[bool]]


@attrs.define
class Load:
    """What callers saw: the seconds of each call, failures, and the seconds that all of it took."""

    seconds: list[float] = attrs.field(factory=list)
    failures: int = 0
    elapsed: float = 0.0

    async def add(self, call: Call, callers: int, calls: int) -> None:
        """Make so many calls by so many callers, each of which waits for its answer."""
        left = iter(range(calls))

        async def caller() -> None:
            for _ in left:
                began = time.perf_counter()
                succeeded = await call()  # in a line of its own: others count while this one waits
                self.failures += not succeeded
                self.seconds.append(time.perf_counter() - began)

        began = time.perf_counter()
        await asyncio.gather(*(caller() for _ in range(callers)))
        self.elapsed += time.perf_counter() - began

    def at(self, percentile: float) -> float:
        """Return a percentile of the latency, in ms."""
        return float(np.percentile(np.array(self.seconds), percentile)) * 1000

    @property
    def rate(self) -> float:
        """Calls in a second."""
        return len(self.seconds) / self.elapsed


async def measure(url: str, model: str, service: str, callers: int, calls: int) -> dict[str, Load]:
    """Return the load of both ways, in turns."""
    headers = {"authorization": f"Bearer {TOKEN}"}
    connector = aiohttp.TCPConnector(limit=callers)
    async with (
        aiohttp.ClientSession(service, headers=headers, connector=connector) as client,
        Session(url, auth=BearerAuth(TOKEN), pool_size=callers) as ml,
    ):

        async def bare() -> bool:
            try:
                return len(await ml.embed_many(model, [TEXT])) == 1
            except MLCommonsError:
                return False

        async def served() -> bool:
            try:
                async with client.post("/embed", json={"texts": [TEXT]}) as answer:
                    return answer.status == 200 and len((await answer.json())["vectors"]) == 1
            except aiohttp.ClientError:
                return False

        ways: dict[str, Call] = {"bare calls": bare, "the service": served}
        for call in ways.values():
            await Load().add(call, callers, callers)  # opens the connections
        loads = {name: Load() for name in ways}
        for _ in range(ROUNDS):
            for name, call in ways.items():
                await loads[name].add(call, callers, calls // ROUNDS)
    return loads


def report(callers: int, loads: dict[str, Load]) -> None:
    """Print both ways, and the ratios."""
    for name, load in loads.items():
        print(
            f"{callers:>7}  {name:<12} {len(load.seconds):>7} {load.failures:>8} {load.rate:>8.0f}"
            f" {load.at(50):>8.1f} {load.at(99):>8.1f}",
            flush=True,
        )
    bare, served = loads.values()
    ratios = [bare.rate / served.rate, *(served.at(part) / bare.at(part) for part in (50, 99))]
    print(f"{'':>7}  {'ratio':<12} {'':>7} {'':>8} {ratios[0]:>8.2f} {ratios[1]:>8.2f} {ratios[2]:>8.2f}", flush=True)


# ---- processes -------------------------------------------------------------------------------------------------------


async def emulate(seconds: float) -> None:
    """Serve an emulator until standard input is closed; print its URL, and the id of a model."""
    emulator = Emulator()
    async with emulator.serve() as url, Session(url) as ml:
        await ml.settings.allow_first_model()
        print(url, await ml.models.ensure("all-MiniLM-L6-v2"), flush=True)
        emulator.faults.slow(seconds)
        await asyncio.to_thread(sys.stdin.read)


@contextmanager
def emulated(seconds: float) -> Iterator[tuple[str, str]]:
    """Yield the URL of an emulator in its own process, and the id of its model."""
    command = [sys.executable, "-m", "benchmarks.web_service", "--emulate", "--seconds", str(seconds)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None  # noqa: S101
        url, model = process.stdout.readline().split()
        yield url, model


@contextmanager
def serving(url: str, model: str, at_once: int) -> Iterator[str]:
    """Yield the URL of the service in its own process."""
    command = [sys.executable, "-m", "uvicorn", "--app-dir", str(ROOT / "examples"), "--factory", "web_service:service"]
    # Connections are idle while the other way has its turn, and one that is closed as it is used again is a failure.
    command += ["--port", "0", "--no-access-log", "--timeout-keep-alive", "75"]
    env = {**os.environ, "OPENSEARCH_URL": url, "MODEL": model, "AT_ONCE": str(at_once), "DEADLINE": "60"}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=env) as process:
        assert process.stderr is not None  # noqa: S101
        lines = iter(process.stderr.readline, "")
        try:
            url = next(at[1] for line in lines if (at := re.search(r"running on (\S+)", line)))
            # Failures are logged there, and a full pipe would hold the service up.
            threading.Thread(target=process.stderr.read, daemon=True).start()
            yield url
        finally:
            process.terminate()


def main() -> None:
    """Parse the options, and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=5_000, help="by each way")
    parser.add_argument("--callers", type=int, nargs="+", default=[1, 10, 100])
    parser.add_argument("--seconds", type=float, default=0.02, help="that a prediction of the emulator takes")
    parser.add_argument("--url", help="a cluster in place of the emulator")
    parser.add_argument("--model", help="the id of its model")
    parser.add_argument("--emulate", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.emulate:
        asyncio.run(emulate(options.seconds))
        return
    if options.url:
        table(options.url, options.model, options.callers, options.calls)
        return
    with emulated(options.seconds) as (url, model):
        table(url, model, options.callers, options.calls)


def table(url: str, model: str, callers: list[int], calls: int) -> None:
    """Print the table."""
    with serving(url, model, max(callers)) as service:
        print(f"{'callers':>7}  {'':<12} {'calls':>7} {'failures':>8} {'calls/s':>8} {'p50 ms':>8} {'p99 ms':>8}")
        for many in callers:
            report(many, asyncio.run(measure(url, model, service, many, calls)))


if __name__ == "__main__":
    main()
