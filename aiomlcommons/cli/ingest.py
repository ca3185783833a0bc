"""``aiomlcommons ingest``: run a bulk job, or a dry run of it."""

from __future__ import annotations

import argparse
import sys
from contextlib import nullcontext, redirect_stdout
from itertools import islice
from pathlib import Path
from typing import Any

import anyio.to_thread
import attrs

from aiomlcommons.cli import jobs
from aiomlcommons.cli.common import cluster, shown
from aiomlcommons.cli.errors import UsageError
from aiomlcommons.cli.exit_codes import SOME_FAILED
from aiomlcommons.cli.tables import print_json
from aiomlcommons.ingest.dry_run import Estimate, estimate
from aiomlcommons.ingest.sinks import open_sink
from aiomlcommons.ingest.sinks.index_dry_run import DryRunIndexSink
from aiomlcommons.ingest.state.dead_letters import ENDING, read_dead_letters
from aiomlcommons.ingest.types import Sink
from aiomlcommons.progress.words import size, span
from aiomlcommons.session import Session


async def ingest(options: argparse.Namespace) -> int:
    """Embed a source into a file or an index; return 3 if there are dead letters."""
    target = jobs.target(options)
    await jobs.check_source(options)
    how = jobs.how(options) | jobs.chunked(options)
    if options.dry_run and options.model is None:
        raise UsageError("--dry-run needs --model: a server that embeds the documents writes them too")
    if options.dry_run:
        return await _dry_run(options, how)
    dead_letters = Path(options.dead_letters or f"{target}{ENDING}")
    name = options.checkpoint or f"{target}.checkpoint"
    checkpoint = await anyio.to_thread.run_sync(jobs.checkpoint_of, name, options)
    if await anyio.to_thread.run_sync(jobs.is_finished, name, options):
        await anyio.to_thread.run_sync(_say_finished, options, dead_letters)
        return 0
    files: Any = {"checkpoint": checkpoint, "dead_letters": dead_letters}
    async with cluster(options) as ml:
        report = await jobs.run(ml, options, await jobs.source(ml, options), **files, **how, **jobs.known(options))
    # Standard output is for the documents if they go there.
    with redirect_stdout(sys.stderr) if options.out == jobs.STDOUT else nullcontext():
        print_json(attrs.asdict(report)) if options.json else print(report)
    if report.failed and not report.written:
        await anyio.to_thread.run_sync(_say_why, dead_letters)
    return SOME_FAILED if report.failed else 0


def _say_why(dead_letters: Path) -> None:
    """Say why nothing was written: a file of another format may have too few rows to end its job."""
    for first in islice(read_dead_letters(dead_letters), 1):
        print(f"nothing was written; the first reason: {first.why}", file=sys.stderr)


def _say_finished(options: argparse.Namespace, dead_letters: Path) -> None:
    failed = str(dead_letters) if dead_letters.exists() else None
    if options.json:
        print_json({"finished": True, "out": options.out, "dead_letters": failed})
        return
    words = f"the job is finished: {options.out} is there, and no checkpoint; nothing is embedded"
    print(words + (f"; its dead letters are in {failed}" if failed else ""))


async def _dry_run(options: argparse.Namespace, how: dict[str, Any]) -> int:
    async with cluster(options) as ml:
        model = await jobs.ensured(ml, options)
        found = await estimate(
            ml,
            await jobs.source(ml, options),
            lambda folder: _rehearsal(ml, options, folder),
            model=model,
            rows=options.sample,
            progress=shown(options),
            **how,
        )
    print_json(attrs.asdict(found)) if options.json else print(_words(found))
    return 0


def _rehearsal(ml: Session, options: argparse.Namespace, folder: Path) -> Sink:
    if options.out is None:
        return DryRunIndexSink(ml, options.index, field=options.field, create=True, **jobs.of_index(options))
    name = "stdout.jsonl" if options.out == jobs.STDOUT else Path(options.out).name
    return open_sink(folder / name, field=options.field)


def _words(found: Estimate) -> str:
    rows = "not known: the source can be read once only" if found.rows is None else f"{found.rows:,}"
    sample = f"{found.sampled:,} rows in {span(found.sampling)}: {found.written:,} embedded"
    requests = f"{found.concurrency} requests at once of {found.latency * 1000:,.0f} ms each"
    lines = {
        "rows": rows + _listed(found.faulty or {}, "no documents"),
        "sample": sample + _listed(found.reasons, "would fail"),
        "documents/s": f"{found.rate:,.0f}, with {requests}",
        "time": span(found.seconds),
        "output": size(found.size),
    }
    return "\n".join(f"{name:<13}{words}" for name, words in lines.items())


def _listed(reasons: dict[str, int], what: str) -> str:
    if not reasons:
        return ""
    lines = [f"\n             {count:>7,}  {reason}" for reason, count in reasons.items()]
    return f", {sum(reasons.values()):,} {what}:" + "".join(lines)
