"""Kill or restart the server during bulk jobs: at the end every id is there once, and the counters balance.

``python -m tests.ingest.test_restarts [TIMES]`` does it that many times on emulators of its own. With
``--restart-command COMMAND`` it uses the cluster of OPENSEARCH_URL, as ``Session.from_env`` does: the command stops
that cluster, starts it again, and then returns; several commands are used in turn.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import re
import sys
import tempfile
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import attrs
import orjson
import pytest

from aiomlcommons import Backoff, RemoteModel, Session
from aiomlcommons.api.settings import MLSettings
from aiomlcommons.connectors import http_embeddings
from aiomlcommons.ingest import IndexSink, Report
from aiomlcommons.lifecycle.spec import FileModel, Spec
from tests.support import model_server
from tests.support.contract.kinds import KINDS
from tests.support.dying_cluster import Disk
from tests.support.paths import MODELS

ROWS = 1_000
BATCH = 8
SOON = Backoff(first=0.05, cap=0.5)
ENDS: tuple[str, ...] = ("kill", "stop")


# ---- the clusters ----------------------------------------------------------------------------------------------------


@attrs.define
class Emulated:
    """A cluster in a process of its own, which exits during a prediction and is started again, this many times."""

    folder: Path
    times: int
    chance: random.Random
    port: int = 0
    url: str = ""
    ended: int = 0
    _process: asyncio.subprocess.Process | None = None

    async def start(self, predictions: int = 0, how: str = "stop") -> None:
        """Start a process, and wait until it accepts requests."""
        words = ("-m", "tests.support.dying_cluster", str(self.folder), str(self.port), str(predictions), how)
        self._process = await asyncio.create_subprocess_exec(sys.executable, *words, stdout=asyncio.subprocess.PIPE)
        assert self._process.stdout is not None
        self.url = (await self._process.stdout.readline()).decode().strip()
        self.port = int(self.url.rpartition(":")[2])

    async def stop(self) -> None:
        """Stop the process."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()
            await self._process.wait()

    async def trouble(self) -> None:
        """Stop it during predictions and start it again, as often as wanted."""
        await self.stop()
        each = max(1, ROWS // BATCH // (self.times + 1))
        for turn in range(self.times):
            await self.start(self.chance.randint(1, each), ENDS[turn % len(ENDS)])
            assert self._process is not None
            await self._process.wait()
            self.ended += 1
        await self.start()


@attrs.define
class Real:
    """A cluster that a command restarts each time that this many documents were read."""

    commands: list[str]
    times: int
    wanted: asyncio.Semaphore = attrs.field(factory=lambda: asyncio.Semaphore(0))
    ended: int = 0

    def read(self, number: int) -> None:
        """Count a document that is read."""
        if number and number % (ROWS // (self.times + 1)) == 0:
            self.wanted.release()

    async def trouble(self) -> None:
        """Restart it each time that it is due."""
        for turn in range(self.times):
            await self.wanted.acquire()
            process = await asyncio.create_subprocess_shell(self.commands[turn % len(self.commands)])
            assert await process.wait() == 0, "the restart command failed"
            self.ended += 1


# ---- the jobs --------------------------------------------------------------------------------------------------------


def text_of(number: int) -> str:
    return f"text number {number}"


@attrs.frozen
class Jobs:
    """Jobs on a cluster; ``unique`` is part of all names there, and ``how`` are options of each job."""

    ml: Session
    folder: Path
    unique: str = ""
    read: Callable[[int], None] = lambda _: None
    how: Mapping[str, Any] = attrs.field(factory=dict)

    async def source(self) -> AsyncGenerator[dict[str, str]]:
        for number in range(ROWS):
            self.read(number)
            yield {"id": f"d{number}", "text": text_of(number)}

    async def into_a_file(self, model: str) -> Report:
        """Embed into a file, and check its content."""
        out = self.folder / "out.jsonl"
        async with self.ml.ingest(self.source, model=model, sink=out, **self._how("jsonl")) as job:
            report = await job
        lines = [orjson.loads(line) for line in (await asyncio.to_thread(out.read_bytes)).splitlines()]
        assert [line["id"] for line in lines] == [f"d{number}" for number in range(ROWS)]
        assert [line["text"] for line in lines] == [text_of(number) for number in range(ROWS)]
        assert all(line["embedding"] for line in lines)
        return report

    async def into_an_index(self, model: str) -> Report:
        """Embed into an index, and count its documents."""
        index = "verses" if not self.unique else self.unique.lower().replace(" ", "-")
        sink = IndexSink(self.ml, index, create=True, sparse=True, backoff=SOON)
        try:
            async with self.ml.ingest(self.source, model=model, sink=sink, **self._how("index")) as job:
                report = await job
            if self.unique:
                counted = await self.ml.request("GET", f"/{index}/_count")
                assert counted.json()["count"] == ROWS
        finally:
            if self.unique:
                await self.ml.options(wait=60).request("DELETE", f"/{index}")
        return report

    def _how(self, name: str) -> dict[str, Any]:
        files = {"checkpoint": self.folder / f"{name}.job", "dead_letters": self.folder / f"{name}.dead"}
        return {"batch": BATCH, "checkpoint_every": 4, "backoff": SOON, "stall_timeout": 300.0, **files, **self.how}


def zipped(kind: str, name: str) -> Spec:
    """Write a tiny real model of a kind."""
    known = KINDS[kind]
    path, config = MODELS / known.file, known.model_config
    return FileModel(path=path, name=name, function_name=known.function_name, model_config=config)


def remote(name: str, url: str) -> Spec:
    """Make a model behind a connector, served from this process."""
    return RemoteModel(name=name, connector=http_embeddings(f"{url}/v1/embeddings", model="m"))


async def restarted(kind: str, times: int, folder: Path, seed: int = 0) -> Report:
    """Run a job on an emulator that exits this many times meanwhile; return its report."""
    cluster = Emulated(folder / "cluster", times, random.Random(seed))  # noqa: S311
    await asyncio.to_thread(cluster.folder.mkdir)
    async with AsyncExitStack() as ends:
        ends.push_async_callback(cluster.stop)
        await cluster.start()
        ml = await ends.enter_async_context(Session(cluster.url, backoff=SOON))
        await ml.settings.apply(allowed("127.0.0.1"))
        spec = await ends.enter_async_context(served(kind, kind))
        model = (await ml.models.ensure(spec, backoff=SOON)).model_id
        report = await beside_trouble(Jobs(ml, folder), kind, model, cluster.trouble)
    assert cluster.ended == times
    if kind == "sparse":
        found = await asyncio.to_thread(Disk(cluster.folder).documents)
        assert sorted(found) == sorted(f"d{number}" for number in range(ROWS))
    return report


async def restarted_really(kind: str, times: int, folder: Path, commands: list[str]) -> Report:
    """Run a job on the cluster of the environment, which the commands restart meanwhile; return its report."""
    unique = f"aiomlcommons restarts {uuid.uuid4().hex[:8]}"
    cluster = Real(commands, times)
    # Slowly enough to be running still when the cluster is back.
    how = {"requests_per_minute": 60.0 * ROWS / BATCH / 20, "concurrency": 4}
    async with Session.from_env() as ml, served(kind, unique) as spec:
        await ml.settings.apply(allowed("127.0.0.1"))
        model = (await ml.models.ensure(spec)).model_id
        try:
            report = await beside_trouble(Jobs(ml, folder, unique, cluster.read, how), kind, model, cluster.trouble)
        finally:
            await ml.options(wait=120).models.remove(model)
    assert cluster.ended == times
    return report


@asynccontextmanager
async def served(kind: str, name: str) -> AsyncGenerator[Spec]:
    """Give a model of a kind; the server of a remote one runs meanwhile."""
    if kind != "remote":
        yield zipped(kind, name)
        return
    async with model_server.serve() as url:
        yield remote(name, url)


async def beside_trouble(jobs: Jobs, kind: str, model: str, trouble: Callable[[], Awaitable[None]]) -> Report:
    """Run a job during outages; check that its counters balance, and return its report."""
    async with asyncio.TaskGroup() as group:
        group.create_task(_all(trouble))
        report = await (jobs.into_an_index(model) if kind == "sparse" else jobs.into_a_file(model))
    assert (report.read, report.written, report.failed, report.deduplicated) == (ROWS, ROWS, 0, 0)
    return report


async def _all(trouble: Callable[[], Awaitable[None]]) -> None:
    await trouble()


def allowed(host: str) -> MLSettings:
    """Return the cluster settings that the models here need."""
    return MLSettings(
        only_run_on_ml_node=False,
        native_memory_threshold=100,
        jvm_heap_memory_threshold=100,
        allow_registering_model_via_local_file=True,
        connector_private_ip_enabled=True,
        trusted_connector_endpoints_regex=[rf"^http://{re.escape(host)}:.*$"],
    )


@pytest.mark.asyncio
@pytest.mark.parametrize("kind", ["dense", "remote", "sparse"])
async def test_a_job_survives_a_cluster_that_is_killed_and_restarted_again_and_again(kind: str, tmp_path: Path) -> None:
    await restarted(kind, 2, tmp_path)


async def main(times: int, commands: list[str]) -> None:
    kinds = ("remote", "dense", "sparse")
    for at, kind in enumerate(kinds):
        share = len(range(at, times, len(kinds)))
        with tempfile.TemporaryDirectory() as place:
            if commands:
                report = await restarted_really(kind, share, Path(place), commands)
            else:
                report = await restarted(kind, share, Path(place), seed=share)
        print(f"{kind}: {share} restarts; {report}; {report.retried:,} retries", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("times", nargs="?", type=int, default=20)
    parser.add_argument("--restart-command", action="append", default=[], metavar="COMMAND")
    given = parser.parse_args()
    asyncio.run(main(given.times, given.restart_command))
