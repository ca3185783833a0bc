"""Nodes that die, hang and refuse, as processes: what calls and a bulk job see of it.

    python -m tests.net.node_deaths [--calls N] [--documents N] [--deaths N] [--read SECONDS]

Two and three nodes in front of an emulator: one of them is killed (kill -9), stopped (it accepts connections and never
answers), or answers 503; later it returns. The table has, before, during and after: the calls of each node, those lost,
the longest time without a success, and the longest call. Then a job embeds documents through deaths of nodes, each of
which is started again, and its accounts are checked in its output.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import tempfile
import time
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeAlias

import anyio
import attrs
import orjson
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from aiomlcommons import MLCommonsError, Session, Timeout
from aiomlcommons.emulator import Emulator
from aiomlcommons.emulator.faults import PREDICTIONS
from aiomlcommons.ingest import Report
from tests.support.front_node import Node, nodes

MODEL = "all-MiniLM-L6-v2"
CALLERS = 6
Deed: TypeAlias = Callable[[Node], Any]


def refuse(node: Node) -> None:
    """Have a node answer 503."""
    node.kill()
    node.start(refusing=True)


def restart(node: Node) -> None:
    """Have a node work again."""
    node.kill()
    node.start()


FAULTS: dict[str, tuple[Deed, Deed]] = {
    "killed": (Node.kill, Node.start),
    "hanging": (Node.pause, Node.resume),
    "503": (refuse, restart),
}


@attrs.define
class Phase:
    """What callers saw for a while: the calls of each node, those lost, and times in seconds."""

    name: str
    at: list[int] = attrs.field(factory=list)
    lost: list[Exception] = attrs.field(factory=list)
    gap: float = 0.0
    longest: float = 0.0

    def __str__(self) -> str:
        calls = " ".join(f"{count:>6}" for count in self.at)
        return f"{self.name:<8} {len(self.lost):>5} {self.gap:>8.3f} s {self.longest:>8.3f} s   {calls}"


HEADER = f"{'':<8} {'lost':>5} {'no success':>10} {'longest':>10}   requests of each node"


async def phase(ml: Session, name: str, call: Callable[[], Awaitable[Any]], calls: int, *, until_live: bool) -> Phase:
    """Make so many calls, and go on until every node takes calls, if that is wanted."""
    before = [node.calls for node in ml.nodes]
    found, successes, left = Phase(name), [time.monotonic()], iter(range(calls))

    async def caller() -> None:
        while next(left, None) is not None or (until_live and not all(node.is_live for node in ml.nodes)):
            began = time.monotonic()
            try:
                await call()
                successes.append(time.monotonic())
            except MLCommonsError as error:
                found.lost.append(error)
            found.longest = max(found.longest, time.monotonic() - began)

    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    found.at = [node.calls - count for node, count in zip(ml.nodes, before, strict=True)]
    found.gap = max((later - sooner for sooner, later in itertools.pairwise(successes)), default=0.0)
    return found


async def outage(some: list[Node], model_id: str, fault: str, calls: int, read: float) -> list[Phase]:
    """Return what callers see before, during and after the fault of the first node."""
    down, up = FAULTS[fault]
    async with Session([node.url for node in some], timeout=Timeout(read=read)) as ml:

        async def call() -> None:
            await ml.embed_one(model_id, "a text")

        found = [await phase(ml, "before", call, calls, until_live=False)]
        await asyncio.to_thread(down, some[0])
        found.append(await phase(ml, "during", call, calls, until_live=False))
        await asyncio.to_thread(up, some[0])
        found.append(await phase(ml, "return", call, 1, until_live=True))
        found.append(await phase(ml, "after", call, calls, until_live=False))
    return found


@attrs.frozen
class Ran:
    """A completed job: its report, how often nodes died meanwhile, and how often each id is in its output."""

    report: Report
    deaths: int
    written: Counter[str]

    @property
    def once(self) -> bool:
        """Whether every document is in the output once."""
        return set(self.written) == set(ids(self.report.read)) and set(self.written.values()) == {1}


def ids(count: int) -> Iterable[str]:
    """Return the ids of the documents."""
    return (f"d{number}" for number in range(count))


@attrs.define
class Reaper:
    """Kills the nodes in turn, evenly spread over so many predictions, and starts each again a while later."""

    nodes: list[Node]
    predictions: int
    deaths: int
    seen: int = 0
    died: int = 0
    down: Node | None = None
    _lock: anyio.Lock = attrs.field(factory=anyio.Lock)

    async def __call__(self, _: Any, go: Any) -> Any:
        """Answer a prediction, after what is due at it."""
        self.seen += 1
        part = self.seen * self.deaths / self.predictions - self.died
        with anyio.CancelScope(shield=True):  # the request may be that of the node which is killed
            async with self._lock:
                if self.down is None and self.died < self.deaths and part >= 0.5:
                    self.down = self.nodes[self.died % len(self.nodes)]
                    self.died += 1
                    await asyncio.to_thread(self.down.kill)
                elif self.down is not None and part >= -0.25:
                    down, self.down = self.down, None
                    await asyncio.to_thread(down.start)
        return await go()


async def job(world: World, some: list[Node], documents: int, deaths: int, batch: int = 64) -> Ran:
    """Run a job of so many documents, through so many deaths of nodes."""
    reaper = Reaper(some, documents // batch, deaths)
    world.emulator.faults.add(reaper, on=PREDICTIONS, times=None)
    with tempfile.TemporaryDirectory() as folder:
        source, sink = Path(folder) / "documents.jsonl", Path(folder) / "vectors.parquet"
        rows = (orjson.dumps({"id": key, "text": f"document {key}"}) + b"\n" for key in ids(documents))
        source.write_bytes(b"".join(rows))
        async with (
            Session([node.url for node in some]) as ml,
            ml.ingest(source, model=world.model_id, sink=sink, batch=batch) as running,
        ):
            report = await running
        written = Counter(pq.read_table(sink, columns=["id"]).column("id").to_pylist())
    return Ran(report, reaper.died, written)


@attrs.frozen
class World:
    """A cluster with a model, for nodes in front of it."""

    emulator: Emulator
    port: int
    model_id: str


@asynccontextmanager
async def world() -> AsyncGenerator[World]:
    """Serve an emulator with a model."""
    emulator = Emulator()
    async with emulator.serve() as url:
        async with Session(url) as ml:
            await ml.settings.allow_first_model()
            model_id = (await ml.models.ensure(MODEL)).model_id
        yield World(emulator, int(url.rpartition(":")[2]), model_id)


async def measure(calls: int, read: float, documents: int, deaths: int) -> None:
    """Print the tables."""
    async with world() as served:
        for count in (2, 3):
            for fault in FAULTS:
                with nodes(served.port, count) as some:
                    found = await outage(some, served.model_id, fault, calls, read)
                print(f"\n{count} nodes, the first one {fault}\n{HEADER}", *found, sep="\n")
        with nodes(served.port, 3) as some:
            ran = await job(served, some, documents, deaths)
    print(f"\na job through {ran.deaths} deaths of nodes: {ran.report}; {ran.report.retried:,} retries")
    print(f"  accounts {'balance' if ran.report.balanced else 'DO NOT BALANCE'}", end="; ")
    print(f"every id once in the output: {'yes' if ran.once else 'NO'}")


def main() -> None:
    """Parse the options, and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=1_500, help="in each phase")
    parser.add_argument("--read", type=float, default=5.0, help="the read timeout, in seconds")
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--deaths", type=int, default=5)
    options = parser.parse_args()
    asyncio.run(measure(options.calls, options.read, options.documents, options.deaths))


if __name__ == "__main__":
    main()
