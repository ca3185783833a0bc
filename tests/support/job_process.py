"""A job in a process that can be killed: ``python -m tests.support.job_process URL SOURCE SINK CHECKPOINT [MODEL]``.

SINK is a file, or ``index:NAME`` for an index that has no replicas meanwhile, which ``pipeline:NAME`` as MODEL embeds
for. It prints the counts of its report as
JSON when it is complete.
"""

from __future__ import annotations

import asyncio
import sys

import attrs
import orjson

from aiomlcommons import Session
from aiomlcommons.ingest import IndexSink

INDEX, PIPELINE = "index:", "pipeline:"


async def main(url: str, source: str, sink: str, checkpoint: str, model: str = "all-MiniLM-L6-v2") -> None:
    async with Session(url) as ml:
        name, pipeline = sink.removeprefix(INDEX), model.removeprefix(PIPELINE)
        served = None if pipeline == model else pipeline
        into = sink if name == sink else IndexSink(ml, name, replicas_off=True, pipeline=served)
        # Small batches and frequent checkpoints, so that a short job can be killed at many points.
        job = ml.ingest(
            source, model=None if served else model, sink=into, checkpoint=checkpoint, batch=8, checkpoint_every=2
        )
        async with job as running:
            print(orjson.dumps(attrs.asdict(await running)).decode(), flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
