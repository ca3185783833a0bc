"""Peak memory of a bulk job by the number of documents, of a plain loop, and what a job's memory is made of.

    python -m benchmarks.memory [--documents N ...] [--sinks NAME ...]

Each figure is a fresh process against a replay server (384 dims, 64 a batch); documents come from a generator, so that
the source takes no memory. The peak is that of the resident memory, as the kernel counts it. What a job is made of is
measured by adding one thing after the other: each row is a process that does what those above it do, and its own.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import tempfile
from collections.abc import Callable, Coroutine, Iterator, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

SIZES = (10_000, 100_000)
BATCH, IN_FLIGHT = 64, 4
DIMENSION = 384
PATH = f"/_plugins/_ml/_predict/text_embedding/local-{DIMENSION}"
TEXT = "document {} tells of {} and of {}"


def rows(count: int) -> Iterator[dict[str, str]]:
    """Yield documents, which all differ."""
    for i in range(count):
        yield {"id": f"d{i}", "text": TEXT.format(i, i * 7919 % 10007, i * 31 % 977)}


# ---- what a process does; imports are within, because each is part of a figure --------------------------------------


async def loop(url: str, _: Path, count: int) -> None:
    """Embed by hand: aiohttp, orjson and cbor2, some requests at once."""
    import aiohttp
    import cbor2
    import numpy as np
    import orjson

    left = rows(count)

    async def work(client: aiohttp.ClientSession) -> None:
        while batch := [row["text"] for row, _ in zip(left, range(BATCH), strict=False)]:
            body = orjson.dumps({"text_docs": batch, "return_bytes": True, "return_number": False})
            headers = {"content-type": "application/json", "accept": "application/cbor"}
            async with client.post(PATH, data=body, headers=headers) as answer:
                found = cbor2.loads(await answer.read())["inference_results"]
            arrays = [np.frombuffer(one["output"][0]["byte_buffer"]["array"], "f4") for one in found]
            np.stack(arrays)

    async with aiohttp.ClientSession(url) as client:
        await asyncio.gather(*(work(client) for _ in range(IN_FLIGHT)))


async def job(url: str, folder: Path, count: int, sink: str, **options: Any) -> None:
    """Run ``ml.ingest`` into a function or a file."""
    from aiomlcommons import Session

    into: Any = (lambda _: None) if sink == "function" else folder / f"documents.{sink}"
    async with Session(url) as ml:
        report = await ml.ingest(lambda: rows(count), model=f"local-{DIMENSION}", sink=into, **options)
    if report.written != count:
        raise AssertionError(str(report))


async def nothing(_url: str, _folder: Path, _count: int) -> None:
    """Do nothing."""


def importing(*names: str) -> Callable[[str, Path, int], Coroutine[Any, Any, None]]:
    """Import modules, and the lazy names of the package."""

    async def run(_url: str, _folder: Path, _count: int) -> None:
        for name in names:
            module, _, attribute = name.partition(":")
            imported = import_module(module)
            if attribute:
                getattr(imported, attribute)

    return run


PACKAGE = ("aiohttp", "numpy", "aiomlcommons:Session", "aiomlcommons.ingest.start")
SINKS: dict[str, Callable[..., Coroutine[Any, Any, None]]] = {
    "a loop by hand": loop,
    "function": partial(job, sink="function"),
    "function, ids numbered": partial(job, sink="function", id=None),
    "npy": partial(job, sink="npy"),
    "parquet": partial(job, sink="parquet"),
}
STEPS: dict[str, Callable[..., Coroutine[Any, Any, None]]] = {
    "Python and asyncio": nothing,
    "aiohttp": importing("aiohttp"),
    "numpy": importing("aiohttp", "numpy"),
    "Session": importing(*PACKAGE[:3]),
    "the modules of a job": importing(*PACKAGE),
    "a job of 64 documents": lambda url, folder, _: job(url, folder, BATCH, sink="function"),
    "a job of 10,000 documents": lambda url, folder, _: job(url, folder, 10_000, sink="function"),
    "pyarrow": importing(*PACKAGE, "pyarrow.parquet"),
    "a job of 10,000 documents into Parquet": lambda url, folder, _: job(url, folder, 10_000, sink="parquet"),
}


def one(name: str, url: str, count: int) -> None:
    """Do one thing in this process; print the peak of its memory in MB."""
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run({**SINKS, **STEPS}[name](url, Path(folder), count))
    # Not what getrusage says, which counts that of the process that began this one.
    status = Path("/proc/self/status").read_text()
    print(int(status.partition("VmHWM:")[2].split()[0]) / 1024)


def peak(name: str, url: str, count: int) -> float:
    """Return the peak in a fresh process."""
    command = [sys.executable, "-m", "benchmarks.memory", "--one", name, url, str(count)]
    return float(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)


def by_size(sizes: Sequence[int], sinks: Sequence[str]) -> dict[str, dict[str, float]]:
    """Print the peaks by size, and return them."""
    from benchmarks.replay.server import replaying  # which the measured processes do without

    found: dict[str, dict[str, float]] = {}
    print(f"\n{'peak memory, MB':28}" + "".join(f"{size:>12,}" for size in sizes) + "   documents")
    for name in sinks:
        with replaying() as url:
            found[name] = {str(size): round(peak(name, url, size), 1) for size in sizes}
        print(f"{name:28}" + "".join(f"{mb:12.1f}" for mb in found[name].values()), flush=True)
    return found


def by_step() -> dict[str, float]:
    """Print what a job's memory is made of, and return the peaks."""
    from benchmarks.replay.server import replaying

    found = {}
    print(f"\n{'what a job holds, MB':42}{'peak':>8}")
    for name in STEPS:
        with replaying() as url:
            found[name] = round(peak(name, url, 0), 1)
        print(f"{name:42}{found[name]:8.1f}", flush=True)
    return found


def ids(found: dict[str, dict[str, float]]) -> float | None:
    """Return the MB that a million ids take: the growth of a job that knows ids, without that of one that does not."""
    sizes = sorted(map(int, found.get("function", {})))[-2:]
    if len(sizes) < 2 or "function, ids numbered" not in found:
        return None
    growth = [
        found[name][str(sizes[1])] - found[name][str(sizes[0])] for name in ("function", "function, ids numbered")
    ]
    return round((growth[0] - growth[1]) * 1e6 / (sizes[1] - sizes[0]), 1)


def figures(sizes: Sequence[int], sinks: Sequence[str] = tuple(SINKS)) -> dict[str, Any]:
    """Measure all, print the tables, and return the figures."""
    peaks = by_size(sizes, sinks)
    each = ids(peaks)
    if each is not None:
        print(f"a million ids take {each:.1f} MB more than numbers of rows")
    return {"peaks": peaks, "million_ids": each, "steps": by_step()}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, nargs="+", default=SIZES, metavar="N")
    parser.add_argument("--sinks", nargs="+", default=list(SINKS), choices=list(SINKS), metavar="NAME")
    parser.add_argument("--one", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        one(options.one[0], options.one[1], int(options.one[2]))
    else:
        figures(options.documents, options.sinks)
