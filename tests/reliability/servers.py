"""Bulk jobs on a real server with ML Commons, which is killed, full, slow and refusing meanwhile.

    python -m tests.reliability.servers --url http://127.0.0.1:9200 --control 'COMMAND' [--kills N] [--trials N]

COMMAND takes one more word: kill-restart, restart (which return when the node answers again), pause, resume. The node
must be nobody else's: it is killed, and its settings are changed for a while. Each trial is a job into a new index of
this node, with a model of this node or one behind a connector. At the end the documents of the index, their vectors and
the dead letters are compared with what was to become of each row.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import re
import tempfile
import time
import uuid
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import attrs
import numpy as np

from aiomlcommons import MLCommonsError, RemoteModel, Session
from aiomlcommons.api.connectors import ClientConfig
from aiomlcommons.connectors import http_embeddings
from aiomlcommons.ingest import SinkError
from aiomlcommons.lifecycle.spec import Spec
from tests.reliability import ledger
from tests.reliability.indexed_job import ENOUGH, RUNS, IndexedJob, Vectors, problems, row
from tests.reliability.server_faults import Place, Provider
from tests.reliability.server_kinds import KINDS, LOCAL, NARROW, REMOTE, Kind
from tests.support.contract.kinds import spec_of
from tests.support.contract.undoing import afterwards
from tests.support.model_server import vector_of
from tests.support.paths import MODELS

# How long a job may take to notice a fault, in seconds: a minute is what a server waits for shards.
NOTICED = 75.0
HERE = "tests/reliability/servers.py"


@attrs.frozen
class World:
    """A cluster, the ids of its models by kind, and for each the vectors of the rows."""

    url: str
    control: str
    provider: Provider
    models: dict[str, str]
    vectors: dict[str, Vectors]
    rows: int


@attrs.frozen
class Tried:
    """How a trial went: the problems of its accounts, none if the promise was kept."""

    kind: Kind
    moment: int
    felt: bool
    problems: Sequence[str]
    job: IndexedJob
    report: str
    seconds: float

    def __str__(self) -> str:
        said = "LOST: " + "; ".join(self.problems[:3]) if self.problems else "kept" if self.felt else "NOT FELT"
        why = (self.job.ends or self.job.words[-1:] or [""])[-1]
        head = f"{said:<8} at {self.moment:>5,}: {self.report.partition(';')[0]}"
        return f"{head}; {len(self.job.ends)} ends; {self.seconds:.1f} s; {why[:160]}"


@asynccontextmanager
async def world(url: str, control: str, rows: int) -> AsyncGenerator[World]:
    """Make the models, and remove them at the end."""
    unique, provider = f"soak {uuid.uuid4().hex[:8]}", Provider()
    async with provider.serve() as at, Session(url, wait=60) as ml:
        one_connection = http_embeddings(f"{at}/v1/embeddings", model="m", client_config=ClientConfig(max_connection=1))
        specs: dict[str, Spec] = {
            LOCAL: spec_of("dense", MODELS / "tiny-dense.zip", unique),
            REMOTE: RemoteModel(name=f"{unique} r", connector=http_embeddings(f"{at}/v1/embeddings", model="m")),
            NARROW: RemoteModel(name=f"{unique} n", connector=one_connection),
        }
        models: dict[str, str] = {}

        async def removed() -> None:
            for model_id in models.values():
                await ml.models.remove(model_id, empty_group=True)

        async with afterwards(removed):
            for name, spec in specs.items():
                models[name] = (await ml.models.ensure(spec)).model_id
            texts = [row(number)["text"] or "none" for number in range(rows)]
            local = await ml.embed_many(models[LOCAL], texts)
            remote = np.array([vector_of(text) for text in texts], np.float32)
            yield World(url, control, provider, models, {LOCAL: local, REMOTE: remote, NARROW: remote}, rows)


async def trial(world: World, kind: Kind, moment: int) -> Tried:
    """Run a job through a fault that begins when so many documents are written."""
    began, index, undone = time.monotonic(), f"soak-{uuid.uuid4().hex[:10]}", asyncio.Event()
    with tempfile.TemporaryDirectory() as folder:
        async with Session(world.url) as plain, afterwards(lambda: _deleted(plain, index)):
            place = Place(plain, world.control, world.provider, index, world.models[kind.model])
            ml = plain.options(timeout=kind.timeout) if kind.timeout else plain
            job = IndexedJob(ml, Path(folder), index, place.model, world.rows, how=kind.how)
            report = "no report"
            # The fault is undone before the session is closed, whatever happens.
            async with asyncio.TaskGroup() as group:
                striking = group.create_task(_strike(place, kind, job, moment, undone))
                try:
                    with anyio.fail_after(ENOUGH):
                        done = await job.run(undone, runs=1 if kind.gone else RUNS)
                    report, found = str(done), await problems(job, done, world.vectors[kind.model])
                except (MLCommonsError, TimeoutError) as error:
                    found = [] if kind.gone and isinstance(error, SinkError) else [f"{type(error).__name__}: {error}"]
            felt = striking.result()
    if kind.resumed is False and job.ends and not kind.gone:
        found.append(f"it ended: {job.ends[0]}")
    if kind.resumed is None and not job.ends:
        found.append("it did not end")
    return Tried(kind, moment, felt or not kind.is_felt, found, job, report, time.monotonic() - began)


async def _strike(place: Place, kind: Kind, job: IndexedJob, moment: int, undone: asyncio.Event) -> bool:
    await job.reached(moment)
    try:
        async with kind.fault(place):
            felt = await job.felt(NOTICED if kind.is_felt and not kind.is_restart else 1.0)
            if kind.lasts is None:
                await job.ended(NOTICED)
            else:
                await anyio.sleep(kind.lasts)
        return felt or bool(job.ends or job.words)
    finally:
        undone.set()


async def _deleted(ml: Session, index: str) -> None:
    await ml.options(wait=60).request("DELETE", f"/{index}?ignore_unavailable=true")


def moments(count: int, rows: int) -> Iterable[int]:
    """Return so many moments of a job, evenly from its first document on, as numbers of written documents."""
    return [rows * number // count for number in range(count)]


async def run(
    url: str, control: str, *, kills: int, trials: int, rows: int, only: str, tell: Callable[[Sequence[Tried]], None]
) -> list[Tried]:
    """Try each kind whose name the pattern finds, so often; print how each trial went, and tell of all after a kind."""
    tried: list[Tried] = []
    async with world(url, control, rows) as served:
        for kind in [kind for kind in KINDS if re.search(only, kind.name)]:
            print(f"\n{kind.name}: {kind.promise}", flush=True)
            count = kills if "kill -9" in kind.name else trials
            for moment in moments(count, rows):
                # At 0 there may be no index yet, which only a death of the node is to meet.
                tried.append(await trial(served, kind, moment if kind.is_restart else max(moment, 1)))
                print(f"  {tried[-1]}", flush=True)
            tell(tried)
    return tried


def rows_of(tried: Sequence[Tried], against: str) -> list[ledger.Trials]:
    """Return the rows of the ledger: what was not felt is no trial."""
    kinds = list(dict.fromkeys(one.kind.name for one in tried))
    found = []
    for name in kinds:
        those = [one for one in tried if one.kind.name == name and one.felt]
        if those:
            found.append(
                ledger.Trials(
                    group="a real server during bulk jobs",
                    fault=name,
                    promise=those[0].kind.promise,
                    test=HERE,
                    against=against,
                    trials=len(those),
                    losses=sum(bool(one.problems) for one in those),
                )
            )
    return found


def others(tried: Sequence[Tried]) -> list[ledger.Trials]:
    """Return the rows on record of kinds that were not tried this time: a run may be of some kinds only."""
    names = {one.kind.name for one in tried if one.felt}
    rows = (row for run in ledger.read() for row in run.rows if row.test == HERE)
    return [row for row in rows if row.fault not in names]


async def _version(url: str) -> str:
    async with Session(url) as ml:
        return f"OpenSearch {await ml.version()} with ML Commons"


def main() -> None:
    """Parse the options, try the kinds, and say what was lost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True)
    parser.add_argument("--control", required=True, help="what controls the node, before one more word")
    parser.add_argument("--kills", type=int, default=10, help="moments of a job at which the node is killed")
    parser.add_argument("--trials", type=int, default=3, help="trials of each of the other kinds")
    parser.add_argument("--rows", type=int, default=1_000, help="documents of a job")
    parser.add_argument("--only", default="", help="a pattern of the names of kinds")
    parser.add_argument("--write", action="store_true", help="write the ledger, after each kind")
    given = parser.parse_args()
    logging.getLogger("aiomlcommons").setLevel(logging.CRITICAL)  # each fault is logged, as it should be
    against = asyncio.run(_version(given.url))
    often = f"--kills {given.kills} --trials {given.trials}"

    def tell(tried: Sequence[Tried]) -> None:
        if given.write:
            rows = [*others(tried), *rows_of(tried, against)]
            figures = {"documents that were accounted for": f"{given.rows * sum(one.trials for one in rows):,}"}
            command = f"python -m tests.reliability.servers --url URL --control COMMAND {often}"
            ledger.write("servers", command, rows, figures)

    how: dict[str, Any] = {"kills": given.kills, "trials": given.trials, "rows": given.rows, "only": given.only}
    tried = asyncio.run(run(given.url, given.control, tell=tell, **how))
    print()
    for one in rows_of(tried, against):
        print(f"{one.trials:>4} trials {one.losses:>3} losses   {one.fault}")


if __name__ == "__main__":
    main()
