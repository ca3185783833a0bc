"""The log at INFO of a bulk job through a server that throttles, and then is killed and restarted.

    python -m tests.logs_of_a_job [--rows N] [--server URL --restart COMMAND]

By default the server is an emulator behind a process that is killed with -9 and started again; the restarted node has
lost the model. ``--server`` is a real cluster (the URLs of several nodes with commas between them), and ``--restart``
the command that kills and restarts it, or a node; ``--auth`` and ``--ca-certs`` are for a secured one. Model, group and
index are made by this program, and removed.
"""

from __future__ import annotations

import argparse
import asyncio
import shlex
import sys
import tempfile
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import anyio
import orjson

from aiomlcommons import Session, show_logs
from aiomlcommons.api.model_records import RateLimiter
from aiomlcommons.emulator import Emulator
from aiomlcommons.ingest import IndexSink, Job
from tests.support.contract.kinds import forget, spec_of
from tests.support.front_node import Node
from tests.support.paths import MODELS

Restart: TypeAlias = Callable[[], Awaitable[None]]
# Requests a second while the server throttles, and the seconds for which it does.
SLOW, SECONDS = 1, 12.0
DOWN = 3.0


@asynccontextmanager
async def emulated() -> AsyncGenerator[tuple[str, Restart]]:
    """Serve an emulator behind a process that can be killed; give its URL, and what kills and restarts it."""
    emulator = Emulator()
    async with emulator.serve() as backend:
        node = Node(int(backend.rpartition(":")[2]))

        async def restart() -> None:
            await asyncio.to_thread(node.kill)
            emulator.restart(recovering=3)
            await anyio.sleep(DOWN)
            await asyncio.to_thread(node.start)

        await asyncio.to_thread(node.start)
        try:
            yield node.url, restart
        finally:
            await asyncio.to_thread(node.kill)


async def run(command: str) -> None:
    """Run the command that restarts a server."""
    process = await asyncio.create_subprocess_exec(*shlex.split(command), stdout=asyncio.subprocess.DEVNULL)
    await process.wait()


async def settled(job: Job, rows: int) -> None:
    """Wait until so many rows are settled."""
    while job.stats.settled < rows and not job.done():  # noqa: ASYNC110 - a job has no event for it
        await anyio.sleep(0.05)


async def trouble(job: Job, rows: int, set_limit: Callable[[int], Awaitable[object]], restart: Restart) -> None:
    """Have the server throttle, and later killed and restarted."""
    await settled(job, rows // 5)
    say(f"the server takes {SLOW} request a second for {SECONDS:.0f} s")
    await set_limit(SLOW)
    await anyio.sleep(SECONDS)
    await set_limit(100_000)
    await settled(job, rows // 2)
    say("the server is killed (-9) and restarted")
    await restart()


def say(words: str) -> None:
    """Print what this program does, beside the log of the package."""
    print(f"--- {words}", flush=True)


async def work(url: str | list[str], restart: Restart, rows: int, **options: Any) -> None:
    """Run the job, with the log on standard output."""
    name = f"logs-of-a-job-{uuid.uuid4().hex[:6]}"
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "texts.jsonl"
        texts = [{"id": n, "text": f"text number {n}" if n % 997 else ""} for n in range(rows)]
        source.write_bytes(b"\n".join(map(orjson.dumps, texts)))
        async with Session(url, **options) as ml:
            model = await ml.models.ensure(spec_of("dense", MODELS / "tiny-dense.zip", name), change_settings=True)

            def set_limit(limit: int) -> Awaitable[object]:
                return ml.models.update(model.model_id, rate_limiter=RateLimiter(limit=limit, unit="SECONDS"))

            try:
                sink = IndexSink(ml, name, create=True)
                how: Any = {"checkpoint": Path(folder) / "job", "batch": 16, "concurrency": (1, 16)}
                async with ml.ingest(source, model=model.model_id, sink=sink, **how) as job:
                    async with asyncio.TaskGroup() as group:
                        group.create_task(trouble(job, rows, set_limit, restart))
                        await job
            finally:
                await ml.request("DELETE", f"/{name}")
                await forget(ml, name)


async def main() -> None:
    """Run the job on the server of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=6000)
    parser.add_argument("--server")
    parser.add_argument("--restart")
    parser.add_argument("--auth", type=lambda text: tuple(text.split(":", 1)))
    parser.add_argument("--ca-certs")
    options = parser.parse_args()
    show_logs("INFO", stream=sys.stdout)
    if options.server:
        secured = {"auth": options.auth, "ca_certs": options.ca_certs}
        await work(options.server.split(","), partial(run, options.restart), options.rows, **secured)
        return
    async with emulated() as (url, restart):
        await work(url, restart, options.rows)


if __name__ == "__main__":
    asyncio.run(main())
