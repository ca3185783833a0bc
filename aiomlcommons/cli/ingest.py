"""``aiomlcommons ingest``: a bulk job from the command line."""

from __future__ import annotations

import argparse
from typing import Any

import anyio
import attrs

from aiomlcommons.cli.common import UsageError, cluster
from aiomlcommons.cli.models import shown_on
from aiomlcommons.cli.progress import Progress
from aiomlcommons.cli.tables import print_json
from aiomlcommons.ingest.job import Job
from aiomlcommons.ingest.sinks import IndexSink
from aiomlcommons.session import Session

SOME_FAILED = 3
# Often enough to be seen to move, and seldom enough to cost nothing.
_LOOK_EVERY = 0.5


async def ingest(options: argparse.Namespace) -> int:
    """Embed a source into a file or an index; 3 where documents ended as dead letters."""
    async with cluster(options) as ml:
        with Progress("documents") as line:
            ensured = await ml.models.ensure(options.model, report=shown_on(line))
            job = ml.ingest(
                options.source,
                model=ensured.model_id,
                sink=_sink(ml, options),
                text=options.text,
                id=options.id or None,
                checkpoint=options.checkpoint,
                dead_letters=options.dead_letters,
                batch=options.batch,
                concurrency=options.concurrency,
            )
            async with job as running, anyio.create_task_group() as group:
                group.start_soon(_show, running, line)
                report = await running
                group.cancel_scope.cancel()
    print_json(attrs.asdict(report)) if options.json else print(report)
    return SOME_FAILED if report.failed else 0


def _sink(ml: Session, options: argparse.Namespace) -> Any:
    if (options.out is None) == (options.index is None):
        raise UsageError("say where to: either --out FILE or --index NAME")
    return options.out if options.out is not None else IndexSink(ml, options.index, create=True)


async def _show(job: Job, line: Progress) -> None:
    while True:
        await anyio.sleep(_LOOK_EVERY)
        line.show(str(job.stats))
