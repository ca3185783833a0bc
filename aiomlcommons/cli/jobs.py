"""What bulk jobs share on the command line: where they write, whether they may begin, and how they are watched."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import anyio
import anyio.to_thread

from aiomlcommons.cli.common import UsageError
from aiomlcommons.cli.display import display
from aiomlcommons.cli.models import shown_on
from aiomlcommons.cli.progress import Progress
from aiomlcommons.ingest.job import Job
from aiomlcommons.ingest.sinks import IndexSink, open_sink
from aiomlcommons.ingest.sources import IndexSource, open_source
from aiomlcommons.ingest.sources.index import BY_ID
from aiomlcommons.ingest.state.checkpoint import CheckpointFile
from aiomlcommons.ingest.state.seen_ids import SeenIds
from aiomlcommons.ingest.stats import Report, Stats
from aiomlcommons.ingest.types import Sink, Source
from aiomlcommons.session import Session

SOME_FAILED = 3
# No index has a colon in its name.
INDEX = "index:"
# Often enough to be seen to move, and seldom enough to cost nothing.
LOOK_EVERY = 0.25


def target(options: argparse.Namespace) -> str:
    """What the files of a job are named after: the output, or the index.

    Raises UsageError where both or none is named, ValueError for an output that nothing writes.
    """
    if (options.out is None) == (options.index is None):
        raise UsageError("say where to: either --out FILE or --index NAME")
    if options.resume and options.emulator:
        raise UsageError(
            "--resume needs the model of the job before, and --emulator begins with none: "
            "serve one with `aiomlcommons emulator`, and name it with --url"
        )
    if options.out is None:
        return quote(options.index, safe="")
    open_sink(options.out)  # only to see that there is one
    return str(options.out)


def from_index(options: argparse.Namespace) -> str | None:
    """The index of the cluster that is the source, if one is."""
    index = str(options.source).removeprefix(INDEX)
    return index if index != options.source else None


def source(ml: Session, options: argparse.Namespace) -> Source:
    """Where the documents come from. Raises InvalidRequest for what nothing reads."""
    index = from_index(options)
    return open_source(options.source) if index is None else IndexSource(ml, index)


def sink(ml: Session, options: argparse.Namespace) -> Sink:
    """Where the documents go."""
    if options.out is not None:
        return open_sink(options.out, field=options.field)
    return IndexSink(ml, options.index, field=options.field, create=True)


def how(options: argparse.Namespace) -> dict[str, Any]:
    """How the job is done, as ``ml.ingest`` takes it."""
    names = (
        "text",
        "batch",
        "batch_bytes",
        "concurrency",
        "requests_per_minute",
        "tokens_per_minute",
        "max_chars",
        "linger",
        "stall_timeout",
        "retry_budget",
        "checkpoint_every",
    )
    given = {name: getattr(options, name) for name in names}
    turned = {"ordered": not options.unordered, "redeploy": not options.no_redeploy}
    return {**given, **turned, "id": _id(options) or None}


def _id(options: argparse.Namespace) -> str:
    if options.id is not None:
        return str(options.id)
    return "id" if from_index(options) is None else BY_ID


def known(options: argparse.Namespace) -> dict[str, Any]:
    """What need not be embedded, as ``ml.ingest`` takes it."""
    return {"cache": options.cache, "skip_unchanged": options.skip_unchanged}


def may_begin(checkpoint: Path, options: argparse.Namespace) -> None:
    """Raises UsageError where a job was broken off after it had begun, which --resume goes on with; WrongJob where it
    is no checkpoint. It blocks.
    """
    found = CheckpointFile.peek(checkpoint)
    if found is None or found[1].finished or not found[1].begun or options.resume:
        return
    remedy = "" if options.emulator else "say --resume to go on with it, or "
    raise UsageError(f"{checkpoint} is of a job that was broken off: {remedy}remove the file to begin anew")


def _begin_anew(checkpoint: Path) -> None:
    """Forget an earlier job. Raises JobUnderWay where it is not over."""
    if checkpoint.exists():
        with closing(SeenIds(Path(f"{checkpoint}.seen"))):
            checkpoint.unlink()


async def ensured(ml: Session, options: argparse.Namespace) -> str:
    """The id of the model, which is there in the end."""
    with Progress("bytes") as line:
        patient = ml.options(wait=options.stall_timeout)
        return (await patient.models.ensure(options.model, report=shown_on(line))).model_id


async def run(
    ml: Session, options: argparse.Namespace, source: Source, *, checkpoint: Path, dead_letters: Path, **how: Any
) -> Report:
    """Do a job, or go on with it; whatever ends it, it says how to go on."""
    model = await ensured(ml, options)
    if not options.resume:
        await anyio.to_thread.run_sync(_begin_anew, checkpoint)
    how |= {"checkpoint": checkpoint, "dead_letters": dead_letters}
    begun = False
    try:
        async with ml.ingest(source, model=model, sink=sink(ml, options), **how) as job:
            begun = True
            with display(f"{source.name} -> {options.out or options.index}") as show:
                return await followed(job, show)
    except BaseException:
        if begun and not options.emulator:
            print("what is done is kept: the same command with --resume goes on", file=sys.stderr)
        raise


async def followed(job: Job, show: Callable[[Stats], None]) -> Report:
    """The report in the end, and the accounts on the way."""
    report: Report | None = None
    while report is None:
        with anyio.move_on_after(LOOK_EVERY):
            report = await job
        show(job.stats)
    return report
