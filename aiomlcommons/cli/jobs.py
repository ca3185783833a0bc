"""What ``ingest`` and ``dead-letters retry`` share: source, sink and options of a job, running and displaying it."""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import anyio.to_thread

from aiomlcommons.cli.common import note, shown
from aiomlcommons.cli.connection import without_password
from aiomlcommons.cli.errors import UsageError
from aiomlcommons.ingest.options import JobOptions
from aiomlcommons.ingest.paths import file_name, printable, redacted
from aiomlcommons.ingest.sinks import IndexSink, open_sink
from aiomlcommons.ingest.sinks.file_sink import BlockingSink
from aiomlcommons.ingest.sources import Chunks, FilesSource, IndexSource, open_source
from aiomlcommons.ingest.sources.index import BY_ID
from aiomlcommons.ingest.start import start_job
from aiomlcommons.ingest.state.checkpoint import CheckpointFile
from aiomlcommons.ingest.stats import Report, Stats
from aiomlcommons.ingest.types import Sink, Source
from aiomlcommons.lifecycle.ensure import ensure
from aiomlcommons.session import Session

# No index has a colon in its name.
INDEX = "index:"
# As --out: JSON Lines to standard output.
STDOUT = "-"
# What an interrupted job says about itself.
COUNTED = ("read", "written", "deduplicated", "skipped", "failed")


def target(options: argparse.Namespace) -> str:
    """Return the base name of the job's files: the output, or the index.

    Raises UsageError if both or none is given, ValueError for an output of unknown type.
    """
    if (options.out is None) == (options.index is None):
        raise UsageError("pass either --out FILE or --index NAME")
    if options.pipeline is not None and options.index is None:
        raise UsageError("--pipeline is for an index, whose server runs it: pass --index NAME")
    if options.model is None and options.index is None:
        raise UsageError("pass --model MODEL: only the documents of an index are embedded by a server")
    if options.resume and options.emulator:
        raise UsageError(
            "--resume needs the model of the interrupted job, and the cluster of --emulator starts empty: "
            "run `aiomlcommons emulator`, and pass its address with --url"
        )
    if options.out is None:
        return file_name(options.index)
    if given := [name for name in ("engine", "method", "space", "replicas_off") if getattr(options, name)]:
        raise UsageError(f"--{given[0].replace('_', '-')} is for an index: pass --index NAME instead of --out")
    if options.out == STDOUT:
        return "stdout"
    open_sink(options.out)  # only to check it early
    return str(options.out)


def from_index(options: argparse.Namespace) -> str | None:
    """Return the index of the cluster that is the source, or None."""
    first = str(options.source[0])
    return first.removeprefix(INDEX) if first.startswith(INDEX) and len(options.source) == 1 else None


async def check_source(options: argparse.Namespace) -> None:
    """Check the source before the cluster is asked for anything. Raises UsageError, OSError, or as ``source`` does."""
    if from_index(options) is None:
        await _of_files(options)
    elif given := _reading(options):
        raise UsageError(f"{', '.join(f'--{name}' for name in given)}: only for files of text, not for an index")


async def source(ml: Session, options: argparse.Namespace) -> Source:
    """Return the source of the job. Raises as ``open_source`` does."""
    index = from_index(options)
    return await _of_files(options) if index is None else IndexSource(ml, index)


async def _of_files(options: argparse.Namespace) -> Source:
    given, several = _reading(options), len(options.source) > 1
    if several and (alone := next((one for one in options.source if one == "-" or one.startswith(INDEX)), None)):
        raise UsageError(f"{alone} cannot be one of several sources: give it alone")
    if several:
        return await anyio.to_thread.run_sync(open_source, FilesSource(options.source, given or None))
    return await anyio.to_thread.run_sync(partial(open_source, options.source[0], **given))


def _reading(options: argparse.Namespace) -> dict[str, Any]:
    """Return the options of a file of text that were given."""
    given = {name: getattr(options, name) for name in ("delimiter", "quoting", "encoding", "header")}
    return {name: value for name, value in given.items() if value is not None}


def sink(ml: Session, options: argparse.Namespace) -> Sink:
    """Return the sink of the job."""
    if options.out is not None:
        return open_sink(options.out, field=options.field)
    how = {**of_index(options), "pipeline": options.pipeline, "replicas_off": options.replicas_off}
    return IndexSink(ml, options.index, field=options.field, create=True, **how)


def of_index(options: argparse.Namespace) -> dict[str, Any]:
    """Return how an index is made, as arguments of IndexSink."""
    return {"engine": options.engine, "method": options.method, "space_type": options.space}


def how(options: argparse.Namespace) -> dict[str, Any]:
    """Return the options of the job as arguments of ``ml.ingest``, without those of ``known``."""
    names = (
        "text",
        "text_default",
        "content_type",
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
        "max_failures",
        "overwrite",
        "ids",
    )
    given = {name: getattr(options, name) for name in names}
    negated = {"ordered": not options.unordered, "redeploy": not options.no_redeploy}
    return {**given, **negated, "id": _id(options) or None}


def _id(options: argparse.Namespace) -> str:
    if options.id is not None:
        return str(options.id)
    return "id" if from_index(options) is None else BY_ID


def chunked(options: argparse.Namespace) -> dict[str, Any]:
    """Return how texts are split as an argument of ``ml.ingest``. Raises UsageError, InvalidRequest."""
    size, overlap = options.chunk_chars, options.chunk_overlap
    if size is None and overlap is not None:
        raise UsageError("--chunk-overlap is for chunks: pass --chunk-chars N too")
    return {"chunk": None if size is None else Chunks(size=size, overlap=overlap or 0)}


def known(options: argparse.Namespace) -> dict[str, Any]:
    """Return the options of the cache as arguments of ``ml.ingest``; a dry run does not use them."""
    return {"cache": options.cache, "skip_unchanged": options.skip_unchanged}


def checkpoint_of(path: str, options: argparse.Namespace) -> Path | None:
    """Return the checkpoint, or None where none is of use: for standard output, and with --emulator, which ends too.

    Raises UsageError if the job would begin anew although it was interrupted, or if standard output is to be resumed;
    WrongJob if the file is no checkpoint. It blocks.
    """
    if options.out == STDOUT:
        if options.checkpoint or options.resume:
            raise UsageError(
                "standard output cannot be resumed: pass a file to --out, or drop --checkpoint and --resume"
            )
        return None
    checkpoint = Path(path)
    found = CheckpointFile.peek(checkpoint)
    unfinished = found is not None and not found[1].finished and found[1].begun
    if unfinished and not options.resume and not options.overwrite:
        remedy = "" if options.emulator else "pass --resume to continue it, or "
        raise UsageError(f"{checkpoint} belongs to an interrupted job: {remedy}--overwrite to begin anew")
    if options.resume and found is None and not is_finished(path, options):
        note(options, f"there is no checkpoint {checkpoint}: the job starts from the beginning")
    return None if options.emulator else checkpoint


def is_finished(path: str, options: argparse.Namespace) -> bool:
    """Return whether the job to resume is finished: its output is there, and no checkpoint any more. It blocks.

    Raises UsageError if the file is not the output of a job.
    """
    if not options.resume or options.overwrite or options.out in {None, STDOUT}:
        return False
    if not Path(options.out).is_file() or Path(path).exists():
        return False
    found = open_sink(options.out, field=options.field)
    if isinstance(found, BlockingSink) and not found.is_output():
        raise UsageError(f"{options.out} exists, and is not the output of a job: name another file")
    return True


async def ensured(ml: Session, options: argparse.Namespace) -> str:
    """Ensure the model; return its id."""
    return (await ensure(ml, options.model, wait=options.stall_timeout, progress=shown(options))).model_id


async def run(
    ml: Session,
    options: argparse.Namespace,
    source: Source,
    *,
    checkpoint: Path | None,
    dead_letters: Path,
    keep: bool = False,
    **how: Any,
) -> Report:
    """Run or resume a job; if it is interrupted, print its counts and the command that continues it."""
    job_options = JobOptions(checkpoint=checkpoint, dead_letters=dead_letters, **how)
    stats: Stats | None = None
    try:
        async with start_job(
            ml,
            source,
            model=options.model,
            sink=sink(ml, options),
            options=job_options,
            anew=not options.resume,
            keep=keep,
            progress=shown(options),
        ) as job:
            stats = job.stats
            return await job
    except BaseException:
        if stats is not None:
            await anyio.to_thread.run_sync(_say_where_it_is, stats, checkpoint, options)
        raise


def _say_where_it_is(stats: Stats, checkpoint: Path | None, options: argparse.Namespace) -> None:
    counts = ", ".join(f"{stats.counts[name]:,} {name}" for name in COUNTED)
    print(f"so far: {counts}", file=sys.stderr)
    if checkpoint is not None and checkpoint.exists():
        print(f"progress is kept; this continues it:\n{command(options)}", file=sys.stderr)


def command(options: argparse.Namespace) -> str:
    """Return the command that continues the job, quoted for a shell, without the credentials in URLs and --user."""
    is_script = Path(sys.argv[0]).stem == "aiomlcommons"
    program = ["aiomlcommons"] if is_script else [sys.executable, "-m", "aiomlcommons"]
    words = [*program, *map(redacted, without_password(options.typed)), *(() if options.resume else ("--resume",))]
    return printable(subprocess.list2cmdline(words) if os.name == "nt" else shlex.join(words))
