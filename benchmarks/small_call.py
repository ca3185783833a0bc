"""CPU cost of a small call, a task that is looked up: this package, bare aiohttp, and opensearch-py, in turns.

    python -m benchmarks.small_call [--rounds N] [--calls N] [--uvloop]

One call at a time, over one connection each, against a replay server in another process.
"""

from __future__ import annotations

import argparse
from collections.abc import Awaitable, Callable

import aiohttp
import orjson
from opensearchpy import AsyncOpenSearch

from aiomlcommons import Session
from benchmarks.loops import run
from benchmarks.replay.server import replaying
from benchmarks.turns import Table, Way, in_turns

BARE = "bare aiohttp reads the bytes"
PATH = "/_plugins/_ml/tasks/t1"


def repeated(call: Callable[[], Awaitable[object]], times: int) -> Way:
    """Make a call so many times, one after the other."""

    async def all_of_them() -> int:
        for _ in range(times):
            await call()
        return times

    return all_of_them


async def measure(url: str, rounds: int, calls: int, loop: str = "") -> Table:
    """Return the costs of a call."""
    async with aiohttp.ClientSession(url) as http, Session(url) as ml, AsyncOpenSearch(url) as opensearch:

        async def bare() -> bytes:
            async with http.get(PATH) as answer:
                return await answer.read()

        async def parsed() -> object:
            async with http.get(PATH) as answer:
                return orjson.loads(await answer.read())

        ways = {
            BARE: bare,
            "aiohttp and orjson by hand": parsed,
            "await ml.tasks.get(...)": lambda: ml.tasks.get("t1"),
            "opensearch-py async": lambda: opensearch.transport.perform_request("GET", PATH),
        }
        costs = await in_turns({name: repeated(call, calls) for name, call in ways.items()}, rounds)
    return Table("A small call" + loop, "call", costs, dict.fromkeys(costs, (BARE,)))


def table(rounds: int, calls: int, *, uvloop: bool = False) -> Table:
    """Measure against a new server; print the table and return it."""
    with replaying() as url:
        found = run(measure(url, rounds, calls, ", uvloop" if uvloop else ""), uvloop=uvloop)
    found.show()
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--uvloop", action="store_true", help="with the event loop of that package")
    options = parser.parse_args()
    table(options.rounds, options.calls, uvloop=options.uvloop)
