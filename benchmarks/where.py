"""Where each microsecond of a call and of a document goes, by rooms of the package and by libraries.

    python -m benchmarks.where [--documents N] [--calls N] [--functions N] [--only WORDS]

A sampling profiler (see sampling.py) charges CPU time to the innermost function of the package, or of a library that
does the work by itself: what numpy or orjson does counts for the function that calls them, as C code has no frame.
The shares are then those of the CPU time of a run without the profiler.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import aiohttp

import aiomlcommons
from aiomlcommons import Session
from benchmarks import parts
from benchmarks.documents import Bench, ways
from benchmarks.replay.limit import TEXT
from benchmarks.replay.server import replaying
from benchmarks.sampling import Samples, sampled
from benchmarks.turns import Way

OURS = str(Path(aiomlcommons.__file__).parent)
ENGINE = "ingest/engine and others"
PREFIXES = {
    f"{OURS}/ingest/sources": "ingest/sources",
    f"{OURS}/ingest/rows": "ingest/rows: check, batch, track",
    f"{OURS}/ingest/state": "ingest/state: ids, checkpoint",
    f"{OURS}/ingest/embedding": "ingest/embedding: batches, cache",
    f"{OURS}/ingest/pacing": "ingest/pacing",
    f"{OURS}/ingest/sinks": "ingest/sinks",
    f"{OURS}/ingest/json_values": "ingest/sinks",
    f"{OURS}/ingest": ENGINE,
    f"{OURS}/inference": "inference: requests, decoding",
    f"{OURS}/net": "net: retries, nodes, transport",
    f"{OURS}/tracing": "tracing",
    f"{OURS}/wire": "wire: types to bytes and back",
    f"{OURS}/concurrency": "concurrency: fan-out",
    OURS: "calls, http, records",
}
LIBRARIES = {
    "/aiohttp/": "aiohttp",
    "/asyncio/": "asyncio, sockets",
    "selectors.py": "asyncio, sockets",
    "/anyio/": "anyio: threads, tasks",
    "/cattrs/": "cattrs",
    "/pyarrow/": "pyarrow",
}
REST = "other (queue, threading, json)"


def place(file: str) -> str:
    """Return the room or library of a file; empty if what it does is its caller's."""
    if file.startswith(OURS):
        return next(name for prefix, name in PREFIXES.items() if file.startswith(prefix))
    return next((name for part, name in LIBRARIES.items() if part in file), "")


def short(file: str) -> str:
    """Return the path of a file within the package, or within its library."""
    return file.removeprefix(f"{OURS}/").rpartition("site-packages/")[2].rpartition("lib/python")[2]


def by_place(samples: Samples) -> tuple[Mapping[str, float], Mapping[str, float]]:
    """Return the seconds of each room, and of each function within them."""
    rooms: defaultdict[str, float] = defaultdict(float)
    functions: defaultdict[str, float] = defaultdict(float)
    for stack, seconds in samples.stacks.items():
        file, function = next(((f, name) for f, name in stack if place(f)), ("", ""))
        rooms[place(file) or REST] += seconds
        functions[f"{short(file)} {function}"] += seconds
    return rooms, functions


def embeddings(bench: Bench) -> dict[str, Way]:
    """Return calls: small ones, and embeddings in batches."""
    texts = [TEXT.format(i) for i in range(bench.count)]

    async def small() -> int:
        for _ in range(1000):
            await bench.ml.tasks.get("t1")
        return 1000

    async def by_batch() -> int:
        async with bench.ml.embed("local-384", texts, batch=32) as embedded:
            return sum([len(batch.vectors) async for batch in embedded.batches()])

    return {"a small call": small, "an embedding, 384 dims, 32 a batch": by_batch}


async def profile(way: Way) -> tuple[float, Mapping[str, float], Mapping[str, float]]:
    """Return the microseconds of a unit, without the profiler, and the seconds by room and by function, with it."""
    await way()
    spent = time.process_time()
    count = await way()
    each = 1e6 * (time.process_time() - spent) / count
    with sampled() as samples:
        await way()
    return each, *by_place(samples)


async def measure(url: str, folder: Path, count: int, functions: int, only: str) -> dict[str, Any]:
    """Print where the time goes in each program, and return it."""
    found: dict[str, Any] = {}
    async with aiohttp.ClientSession(url) as http, Session(url) as ml:
        bench = Bench(ml, http, folder, count)
        parts.make_files(bench.lines, bench.table, count)
        jobs = {name: way for name, (way, _) in ways(bench).items() if name.startswith("ml.ingest")}
        for name, way in {**embeddings(bench), **jobs}.items():
            if only in name:
                each, rooms, calls = await profile(way)
                found[name] = {"us": round(each, 2), "rooms": shares(rooms, each), "functions": shares(calls, each, 15)}
                show(name, each, found[name], functions)
    return found


def shares(seconds: Mapping[str, float], each: float, most: int = 99) -> dict[str, float]:
    """Return the microseconds of a unit that go to each name, most first."""
    whole = sum(seconds.values()) or 1.0
    ordered = sorted(seconds, key=lambda name: -seconds[name])[:most]
    return {name: round(each * seconds[name] / whole, 2) for name in ordered}


def show(name: str, each: float, found: Mapping[str, Mapping[str, float]], functions: int) -> None:
    """Print the rooms of a program, and the first functions."""
    print(f"\n{name}: {each:.1f} us")
    for room, part in found["rooms"].items():
        print(f"  {room:38}{part:9.2f} us {100 * part / each:5.1f} %")
    for function, part in list(found["functions"].items())[:functions]:
        print(f"      {function:70}{part:9.2f} us", flush=True)


def figures(count: int, functions: int = 0, only: str = "") -> dict[str, Any]:
    """Measure against a new server; print the tables and return the figures."""
    with replaying() as url, tempfile.TemporaryDirectory() as folder:
        return asyncio.run(measure(url, Path(folder), count, functions, only))


def main(arguments: Sequence[str] | None = None) -> None:
    """Parse the options, and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=30_000)
    parser.add_argument("--functions", type=int, default=12, help="that are shown of each")
    parser.add_argument("--only", default="", help="the programs whose names have these words")
    options = parser.parse_args(arguments)
    figures(options.documents, options.functions, options.only)


if __name__ == "__main__":
    main()
