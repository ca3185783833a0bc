"""Synthetic documents into Parquet by ``ml.ingest``: throughput and peak memory.

    python -m benchmarks.ingest_parquet [--documents N ...]

Each job has a checkpoint and runs in a fresh process, whose peak of resident memory is that of this job alone; the
emulator is another process. The peak should be the same for 100,000 documents and for 1,000,000. Then another process
checks the file: every document is in it once, in order, and vectors are those of ``embed_one``.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import resource
import subprocess
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import Any

from aiomlcommons import Session
from benchmarks.bulk import DIMENSION, deployed, document, documents, emulated

SIZES = (10_000, 100_000, 1_000_000)
KIND = f"fixed_size_list<item: float>[{DIMENSION}]"
LOOKED_AT = 20


async def ingest(url: str, path: str, count: int) -> None:
    """Run the job; print its rate, the peak memory of this process, and its report."""
    async with Session(url) as ml:
        model_id = await deployed(ml)
        job = ml.ingest(lambda: documents(count), model=model_id, sink=path, checkpoint=f"{path}.job")
        async with job as running:
            report = await running
    expect("accounts", (report.balanced, report.written), (True, count))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{report.written / report.seconds:8,.0f} documents/s  peak {peak:4.0f} MB  {report}", flush=True)


async def check(url: str, path: str, count: int) -> None:
    """Check the file; raise AssertionError where anything is wrong."""
    chosen = set(random.sample(range(count), min(LOOKED_AT, count)))
    parquet: Any = import_module("pyarrow.parquet")
    with parquet.ParquetFile(path) as file:
        expect("type", str(file.schema_arrow.field("embedding").type), KIND)
        groups, found, row = file.num_row_groups, [], 0
        for batch in file.iter_batches(4096):
            for key in batch["id"].to_pylist():
                expect("id", key, f"d{row}")
                row += 1
            found += [one for i in chosen if (one := at(batch, i - row + len(batch)))]
    expect("rows", row, count)
    await compare(url, found)
    print(f"{'':8} {row:,} rows in {groups} row groups, all ids there once, {len(found)} random vectors right")


def at(batch: Any, index: int) -> dict[str, Any] | None:
    """Return a row of a batch, if it is in it."""
    row: list[dict[str, Any]] = batch.slice(index, 1).to_pylist() if 0 <= index < len(batch) else []
    return row[0] if row else None


async def compare(url: str, rows: list[dict[str, Any]]) -> None:
    """Raise AssertionError where a row is not the document of its id, or does not have its vector."""
    async with Session(url) as ml:
        model_id = await deployed(ml)
        for row in rows:
            wanted = document(int(row["id"][1:]))
            expect("row", {key: row[key] for key in wanted}, wanted)
            expect("vector", row["embedding"], (await ml.embed_one(model_id, wanted["text"])).tolist())


def expect(what: str, found: Any, wanted: Any) -> None:
    """Raise AssertionError where a condition does not hold."""
    if found != wanted:
        raise AssertionError(f"{what}: {found!r}, not {wanted!r}")


def fresh(step: str, *arguments: str) -> None:
    """Run a step in a new process. The memory of this process would be inherited, so it must stay small."""
    subprocess.run([sys.executable, "-m", "benchmarks.ingest_parquet", "--step", step, *arguments], check=True)


STEPS = {"ingest": ingest, "check": check}


def main() -> None:
    """Measure, or run one step of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, nargs="+", default=SIZES, metavar="N")
    parser.add_argument("--step", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        step, url, path, count = options.step
        asyncio.run(STEPS[step](url, path, int(count)))
        return
    for count in options.documents:
        with emulated() as url, tempfile.TemporaryDirectory() as folder:
            print(f"{count:,} documents", flush=True)
            path = str(Path(folder) / "embedded.parquet")
            for step in STEPS:
                fresh(step, url, path, str(count))


if __name__ == "__main__":
    main()
