"""What ``embed``, ``emulator`` and ``call`` do."""

from __future__ import annotations

import argparse

import anyio

from aiomlcommons import emulator
from aiomlcommons.cli import calls
from aiomlcommons.cli.common import cluster
from aiomlcommons.cli.models import shown_on
from aiomlcommons.cli.progress import Progress
from aiomlcommons.cli.tables import print_json
from aiomlcommons.pipeline.sinks import file_sink
from aiomlcommons.pipeline.sources import jsonl


async def embed(options: argparse.Namespace) -> None:
    """Embed the texts of a file into another."""
    sink = file_sink(options.out)
    async with cluster(options) as ml:
        with Progress("rows") as progress:
            model_id = (await ml.models.ensure(options.model, report=shown_on(progress))).model_id
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


async def call(options: argparse.Namespace) -> None:
    """Call any endpoint and print what it answers."""
    if len(options.words) < 2 and "." not in "".join(options.words):
        print(calls.listing(*options.words))
        return
    request = calls.request_of(options.words)
    async with cluster(options) as ml:
        got = await ml.raw(request)
    print_json(got.json())
