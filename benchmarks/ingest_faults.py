"""A job with injected faults, compared with the same job without them.

    python -m benchmarks.ingest_faults [--documents N] [--ordered]

The server, an emulator in its own process, rejects 5 % of the requests with 429, fails 2 % with 500, drops 1 % of the
connections and is unavailable for ten seconds in the middle; every fourth request is ten times as slow; and one
document in 10,000 is a poison document, with the same error message as the random failures. The printed figures are
counted in the output of the job: in the sink, in the dead letters, in its report.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs
import orjson
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from aiomlcommons import Session
from aiomlcommons.emulator import Emulator
from aiomlcommons.http import HttpRequest
from aiomlcommons.ingest import Report, documents
from aiomlcommons.net.retry_budget import RetryBudget

MODEL = "all-MiniLM-L6-v2"
BATCH = 64
POISON = b"arsenic"
ONE_IN = 10_000
AWAY = 10.0
SERVICE = 0.01
# The error of a real server for any failure of its model.
WORDS = 'Error from remote service: {"error": {"message": "boom"}}'


@attrs.frozen
class Ran:
    """A completed job: its report, its retry budget, and the ids in its sink and its dead letters."""

    report: Report
    budget: RetryBudget
    written: Counter[str]
    dead: list[str]


# ---- the server ------------------------------------------------------------------------------------------------------


@attrs.define
class Away:
    """Whether the server is unavailable: for some seconds after a number of predictions."""

    after: int
    seconds: float
    seen: int = 0
    since: float | None = None

    def __call__(self, http: HttpRequest) -> bool:
        self.seen += is_prediction(http)
        if self.since is None and self.seen > self.after:
            self.since = time.monotonic()
        return self.since is not None and time.monotonic() < self.since + self.seconds


def is_prediction(http: HttpRequest) -> bool:
    """Return whether a request is a prediction."""
    return "/_predict/" in http.path


def is_poisoned(http: HttpRequest) -> bool:
    """Return whether a request contains a poison document."""
    return is_prediction(http) and POISON in (http.body or b"")


def plan(emulator: Emulator, requests: int) -> None:
    """Inject all faults into a job of a number of requests."""
    faults = emulator.faults
    faults.drop(times=None, on=Away(requests // 2, AWAY))
    faults.drop(times=None, chance=0.01)
    faults.throttle(times=None, chance=0.05)
    faults.fail(500, reason=WORDS, times=None, chance=0.02)
    faults.slow(9 * SERVICE, every=4)
    faults.fail(500, reason=WORDS, times=None, on=is_poisoned)


async def serve(requests: int) -> None:
    """Print a URL and serve until standard input is closed; 0 requests inject no faults."""
    emulator = Emulator()
    async with emulator.serve() as url, Session(url) as ml:
        await ml.settings.allow_first_model()
        await ml.models.ensure(MODEL)
        emulator.faults.slow(SERVICE)
        if requests:
            plan(emulator, requests)
        print(url, flush=True)
        await asyncio.to_thread(sys.stdin.read)


@contextmanager
def serving(requests: int) -> Iterator[str]:
    """Yield the URL of such a server in its own process."""
    command = [sys.executable, "-m", "benchmarks.ingest_faults", "--serve", str(requests)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        # The end of the context closes both pipes, which ends the server.
        yield process.stdout.readline().strip() if process.stdout else ""


# ---- the job ---------------------------------------------------------------------------------------------------------


def write_source(path: Path, count: int) -> set[str]:
    """Write documents as JSON Lines; return the ids of the poison documents."""
    poisoned = {f"d{n}" for n in range(count) if n % ONE_IN == ONE_IN // 2}
    with path.open("wb") as file:
        for n in range(count):
            text = f"document {n} tells of {n * 7919 % 10007}" + (
                f" and {POISON.decode()}" if f"d{n}" in poisoned else ""
            )
            file.write(orjson.dumps({"id": f"d{n}", "text": text}) + b"\n")
    return poisoned


async def run(url: str, source: Path, folder: Path, *, ordered: bool) -> Ran:
    """Run the job, into Parquet and with a checkpoint."""
    sink, dead = folder / "vectors.parquet", folder / "dead.jsonl"
    async with (
        Session(url) as ml,
        ml.ingest(
            source,
            model=MODEL,
            sink=sink,
            batch=BATCH,
            ordered=ordered,
            checkpoint=folder / "checkpoint",
            dead_letters=dead,
        ) as job,
    ):
        report = await job
        budget = job._engine.embedder.requests.budget
    return await asyncio.to_thread(left, report, budget, sink, dead)


def left(report: Report, budget: RetryBudget, sink: Path, dead: Path) -> Ran:
    """Read the output of a job."""
    written = Counter(pq.read_table(sink, columns=["id"]).column("id").to_pylist())
    dead_letters = [document["id"] for document in documents(dead)] if dead.exists() else []
    return Ran(report, budget, written, dead_letters)


def show(name: str, ran: Ran, count: int, poisoned: set[str]) -> None:
    """Print the result of a job."""
    report, budget = ran.report, ran.budget
    ids = {f"d{n}" for n in range(count)}
    once = set(ran.written) == ids - poisoned and set(ran.written.values()) == {1}
    dead_letters = sorted(ran.dead) == sorted(poisoned)
    print(f"\n{name}: {report}")
    print(f"  accounts {'balance' if report.balanced else 'DO NOT BALANCE'}", end="; ")
    print(f"every other id once in the sink: {'yes' if once else 'NO'}", end="; ")
    print(f"dead letters are the {len(poisoned)} poisoned: {'yes' if dead_letters else f'NO, {ran.dead[:20]}'}")
    unpaid = report.retried - budget.spent - budget.denied
    print(
        f"  {report.requests:,} requests; {report.retried:,} were repeated: {budget.spent:,} paid for by the budget",
        end="",
    )
    print(
        f" ({budget.tokens:,.0f} of {budget.capacity:,.0f} tokens left), {budget.denied:,} that it did not pay for and",
        end=" ",
    )
    print(f"that were sent one at a time, {unpaid:,} after failures that may be a document's fault")


def main() -> None:
    """Parse the options, and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--ordered", action="store_true", help="keep the order of the source")
    options = parser.parse_args()
    if options.serve is not None:
        asyncio.run(serve(options.serve))
        return
    seconds = {}
    for name, poison in (("without faults", False), ("with faults", True)):
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder) / "documents.jsonl"
            poisoned = write_source(source, options.documents)
            with serving(options.documents // BATCH if poison else 0) as url:
                ran = asyncio.run(run(url, source, Path(folder), ordered=options.ordered))
        show(name, ran, options.documents, poisoned if poison else set())
        seconds[name] = ran.report.seconds
    plain, faulty = seconds.values()
    print(f"\n{faulty:.1f} s with faults, {plain:.1f} s without: {faulty / plain:.2f} x", end="; ")
    print(f"{(faulty - AWAY) / plain:.2f} x beside the {AWAY:.0f} s that the server was away")


if __name__ == "__main__":
    main()
