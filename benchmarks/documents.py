"""CPU cost of a document of a bulk job, and documents per second, beside the parts that the job is made of alone.

    python -m benchmarks.documents [--rounds N] [--documents N] [--only WORDS]

Documents with an id and a text of 95 characters come from JSON Lines (or Parquet), are embedded by a replay server (384
dims, 64 a batch), and go where each row says. The server is another process that accepts whatever it is sent. All take
turns in this process. The parts are what one would write by hand: they check nothing, and know no crash.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import tempfile
from collections.abc import Callable, Coroutine, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import attrs

from aiomlcommons import Session
from aiomlcommons.ingest import IndexSink
from benchmarks import parts
from benchmarks.replay.server import replaying
from benchmarks.turns import Table, Way, in_turns

DIMENSION = 384
MODEL, INDEX = f"local-{DIMENSION}", f"documents-{DIMENSION}"
READ, READ_PARQUET, EMBED = "read the lines with orjson", "read the Parquet file with pyarrow", "ml.embed over the rows"
WRITE_NPY, WRITE_PARQUET = "write the arrays as bytes", "write such a Parquet file with pyarrow"
WRITE_JSONL = "write such lines with orjson"
POST_JSON, POST_BASE64 = "post such _bulk requests, JSON", "post such _bulk requests, base64"


@attrs.frozen
class Bench:
    """A session with the replay server, a folder with the documents in two formats, and their number."""

    ml: Session
    http: aiohttp.ClientSession
    folder: Path
    count: int

    @property
    def lines(self) -> Path:
        """The documents as JSON Lines."""
        return self.folder / "documents.jsonl"

    @property
    def table(self) -> Path:
        """The documents as Parquet."""
        return self.folder / "documents.parquet"

    def job(self, sink: Callable[[Bench], Any], source: Path | None = None, **options: Any) -> Way:
        """Run a job into a sink, which is made for each run."""

        async def ingest() -> int:
            report = await self.ml.ingest(source or self.lines, model=MODEL, sink=sink(self), **options)
            return report.written

        return ingest

    def file(self, suffix: str) -> Path:
        """Return the path of an output; what an earlier way has written is removed."""
        folder = self.folder / "out"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        return folder / f"documents{suffix}"


def function(_: Bench) -> Callable[[Any], None]:
    """Return a sink that does nothing."""
    return lambda _: None


def async_function(_: Bench) -> Callable[[Any], Coroutine[Any, Any, None]]:
    """Return a sink that does nothing and needs no thread, as a function that may block does."""

    async def take(_: Any) -> None:
        pass

    return take


def index(bench: Bench, *, base64: bool) -> IndexSink:
    """Return an index as a sink."""
    return IndexSink(bench.ml, INDEX, base64=base64)


def embed(bench: Bench) -> Way:
    """Embed the rows, in whole batches."""
    rows = parts.read_lines(bench.lines)

    async def run() -> int:
        async with bench.ml.embed(MODEL, rows, text="text") as embedded:
            return sum([len(batch.vectors) async for batch in embedded.batches()])

    return run


def blocking(work: Callable[[], int]) -> Way:
    """Return a part that needs no event loop as a way."""

    async def run() -> int:
        return work()

    return run


def ways(bench: Bench) -> dict[str, tuple[Way, Sequence[str]]]:
    """Return what is measured, with the parts that each is compared with."""
    rows = parts.Rows.made(parts.read_lines(bench.lines), DIMENSION)
    alone: dict[str, Way] = {
        READ: blocking(lambda: len(parts.read_lines(bench.lines))),
        READ_PARQUET: blocking(lambda: parts.read_table(bench.table)),
        EMBED: embed(bench),
        WRITE_NPY: blocking(lambda: parts.write_npy(bench.file(".raw"), rows)),
        WRITE_PARQUET: blocking(lambda: parts.write_parquet(bench.file(".parquet"), rows)),
        WRITE_JSONL: blocking(lambda: parts.write_lines(bench.file(".jsonl"), rows)),
        POST_JSON: partial(parts.post, bench.http, INDEX, rows, base64=False),
        POST_BASE64: partial(parts.post, bench.http, INDEX, rows, base64=True),
    }
    checkpoint = bench.folder / "job"
    base: Sequence[str] = (READ, EMBED)
    jobs: dict[str, tuple[Way, Sequence[str]]] = {
        "ml.ingest into a function": (bench.job(function), base),
        "ml.ingest into an async function": (bench.job(async_function), base),
        "ml.ingest with a checkpoint": (bench.job(function, checkpoint=checkpoint), base),
        "ml.ingest into .npy": (bench.job(lambda b: b.file(".npy")), (*base, WRITE_NPY)),
        "ml.ingest into .parquet": (bench.job(lambda b: b.file(".parquet")), (*base, WRITE_PARQUET)),
        "ml.ingest into .jsonl": (bench.job(lambda b: b.file(".jsonl")), (*base, WRITE_JSONL)),
        "ml.ingest into an index, JSON": (bench.job(partial(index, base64=False)), (*base, POST_JSON)),
        "ml.ingest into an index, base64": (bench.job(partial(index, base64=True)), (*base, POST_BASE64)),
        "ml.ingest from Parquet into .parquet": (
            bench.job(lambda b: b.file(".parquet"), bench.table),
            (READ_PARQUET, EMBED, WRITE_PARQUET),
        ),
    }
    return {**{name: (way, (name,)) for name, way in alone.items()}, **jobs}


async def measure(url: str, folder: Path, rounds: int, count: int, only: str = "") -> Table:
    """Return the costs of all rows of the table."""
    async with aiohttp.ClientSession(url) as http, Session(url) as ml:
        bench = Bench(ml, http, folder, count)
        parts.make_files(bench.lines, bench.table, count)
        chosen = only_those(ways(bench), only)
        costs = await in_turns({name: way for name, (way, _) in chosen.items()}, rounds, count)
    return Table("A document, 384 dims", "document", costs, {name: made_of for name, (_, made_of) in chosen.items()})


def only_those(table: Mapping[str, tuple[Way, Sequence[str]]], words: str) -> dict[str, tuple[Way, Sequence[str]]]:
    """Return the rows whose names have these words, and their parts."""
    wanted = {name for name in table if words in name}
    wanted |= {part for name in wanted for part in table[name][1]}
    return {name: row for name, row in table.items() if name in wanted}


def table(rounds: int, count: int, only: str = "") -> Table:
    """Measure against a new server; print the table and return it."""
    with replaying() as url, tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(measure(url, Path(folder), rounds, count, only))
    found.show()
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--documents", type=int, default=30_000, help="of each job")
    parser.add_argument("--only", default="", help="the rows whose names have these words, with their parts")
    options = parser.parse_args()
    table(options.rounds, options.documents, options.only)
