"""A job in a process that can be killed: ``python -m tests.support.job_process URL SOURCE SINK CHECKPOINT``.

It prints the counts of its report as JSON when it is complete.
"""

from __future__ import annotations

import asyncio
import sys

import attrs
import orjson

from aiomlcommons import Session


async def main(url: str, source: str, sink: str, checkpoint: str) -> None:
    async with Session(url) as ml:
        # Small batches and frequent checkpoints, so that a short job can be killed at many points.
        job = ml.ingest(source, model="all-MiniLM-L6-v2", sink=sink, checkpoint=checkpoint, batch=8, checkpoint_every=2)
        async with job as running:
            print(orjson.dumps(attrs.asdict(await running)).decode(), flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
