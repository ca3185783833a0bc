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
from aiomlcommons.ingest.stats import Report
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
            async with job as running:
                report = await _followed(running, line)
            print_json(attrs.asdict(report)) if options.json else print(report)
            return SOME_FAILED if report.failed else 0


def _sink(ml: Session, options: argparse.Namespace) -> Any:
    if (options.out is None) == (options.index is None):
        raise UsageError("say where to: either --out FILE or --index NAME")
    return options.out if options.out is not None else IndexSink(ml, options.index, create=True)


async def _followed(job: Job, line: Progress) -> Report:
    """The report in the end, and the accounts on the way."""
    report: Report | None = None
    while report is None:
        with anyio.move_on_after(_LOOK_EVERY):
            report = await job
        line.show(str(job.stats))
    return report
