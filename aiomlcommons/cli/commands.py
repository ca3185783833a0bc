"""What each command does."""

from __future__ import annotations

import argparse
import math
import os
import sys
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

import anyio
import orjson

from aiomlcommons import emulator
from aiomlcommons.cli import calls
from aiomlcommons.cli.progress import Progress
from aiomlcommons.models.find import find_deployed
from aiomlcommons.pipeline.sinks import file_sink
from aiomlcommons.pipeline.sources import jsonl
from aiomlcommons.session import Session


class UsageError(Exception):
    """Something that the user must say, or say otherwise."""


@asynccontextmanager
async def cluster(options: argparse.Namespace) -> AsyncGenerator[Session]:
    """A session with the cluster that the options and the environment name, or with the embedded emulator."""
    url = options.url or os.environ.get("OPENSEARCH_URL")
    if options.emulator and options.url:
        raise UsageError("--url and --emulator exclude each other")
    if not url and not options.emulator:
        raise UsageError(
            "no cluster is named: give --url or set OPENSEARCH_URL, or say --emulator to try it without one"
        )
    async with AsyncExitStack() as stack:
        if options.emulator:
            session = Session(await stack.enter_async_context(emulator.serve()))
        else:
            session = Session.from_env({**os.environ, "OPENSEARCH_URL": str(url)})
        ml = await stack.enter_async_context(session)
        if options.emulator:
            await ml.settings.allow_first_model()
        yield ml


async def embed(options: argparse.Namespace) -> None:
    """Embed the texts of a file into another."""
    sink = file_sink(options.out)
    async with cluster(options) as ml:
        with Progress("rows") as progress:
            model_id = await find_deployed(ml, options.model, report=progress.say)
            rows = jsonl(options.input)
            how = {"batch": options.batch, "in_flight": options.in_flight}
            async with sink, ml.embed(model_id, rows, text=options.text, **how) as embedded:
                dimension = 0
                async for batch in embedded.batches():
                    await sink.write(batch)
                    dimension = batch.vectors.shape[1]
                    progress.add(len(batch))
        took = f"{progress.seconds:.1f} s ({progress.rate})"
        print(f"{progress.count:,} rows, {dimension} dimensions, {took} -> {sink.path}")


async def serve(options: argparse.Namespace) -> None:
    """Serve the emulator until interrupted."""
    async with emulator.serve(host=options.host, port=options.port) as url:
        print(f"an emulated ML Commons answers at {url}; Ctrl-C ends it", flush=True)
        await anyio.sleep_forever()


async def wait(options: argparse.Namespace) -> int:
    """Wait for a task's end, showing each change."""
    async with cluster(options) as ml:
        task = ml.task(options.task_id)
        with anyio.move_on_after(options.timeout or math.inf):
            async for info in task:
                print(f"{info.task_type or 'task'} {options.task_id} {info.state}", file=sys.stderr)
            # Asked once more, because a deployment that failed as a duplicate is followed to the one that goes on.
            info = await task
            print(f"{info.state}" + (f" model_id={info.model_id}" if info.model_id else ""))
            return 0
    print(f"aiomlcommons: task {options.task_id} has not ended in {options.timeout:g} s", file=sys.stderr)
    return 1


async def call(options: argparse.Namespace) -> None:
    """Call any endpoint and print what it answers."""
    if len(options.words) < 2 and "." not in "".join(options.words):
        print(calls.listing(*options.words))
        return
    request = calls.request_of(options.words)
    async with cluster(options) as ml:
        got = await ml.raw(request)
    sys.stdout.buffer.write(orjson.dumps(got.json(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    sys.stdout.buffer.flush()
