"""A re-embedding in a process that can be killed: ``python -m tests.reembedding.live.child URL OPTIONS STOP``.

OPTIONS are the arguments of ``ml.reembed`` as JSON. It goes on where the one before it was killed, through the switch,
and follows writers until the file STOP is there. It prints each phase, and at last the report as JSON.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import anyio
import orjson

from aiomlcommons import Session
from aiomlcommons.progress.event import Progress

LOOK = 0.1
ENTERED, SWITCHED, REPORT = "entered", "switched", "report"


def _say(told: Progress) -> None:
    print(told.phase.value, told.words or "", flush=True)


async def _stopped(path: Path, ends: anyio.Event) -> None:
    while not path.exists():  # noqa: ASYNC110 - a file tells nobody that it is there
        await anyio.sleep(LOOK)
    ends.set()


async def main(url: str, options: str, stop: str) -> None:
    """Re-embed, switch, and follow."""
    ends = anyio.Event()
    async with Session(url) as ml, anyio.create_task_group() as tasks:
        tasks.start_soon(_stopped, Path(stop), ends)
        async with ml.reembed(**orjson.loads(options), progress=_say) as job:
            print(ENTERED, job.phase, flush=True)
            await job
            print(SWITCHED, flush=True)
            await job.follow(ends)
            await job.follow()
            print(REPORT, orjson.dumps(job.report.to_dict()).decode(), flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
