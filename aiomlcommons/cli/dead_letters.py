"""``aiomlcommons dead-letters``: list the documents that failed for good, and retry them."""

from __future__ import annotations

import argparse
import math
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import anyio.to_thread
import attrs

from aiomlcommons.cli import jobs
from aiomlcommons.cli.common import cluster
from aiomlcommons.cli.errors import UsageError
from aiomlcommons.cli.exit_codes import SOME_FAILED
from aiomlcommons.cli.tables import print_json
from aiomlcommons.inference.fields import TextFrom
from aiomlcommons.ingest.json_values import dumped_anyhow, loaded
from aiomlcommons.ingest.reprocess import DeadLetterSource, RetryFiles, retried_id
from aiomlcommons.ingest.state.checkpoint import CheckpointFile
from aiomlcommons.ingest.state.dead_letters import DeadLetter, read_dead_letters
from aiomlcommons.ingest.types import BadRow

_SHOWN = 100


async def show(options: argparse.Namespace) -> None:
    """Count the dead letters of a file by reason, with some examples of each."""
    counts, examples = await anyio.to_thread.run_sync(_counted, options.file, options.examples)
    if options.json:
        reasons = [
            {"reason": why, "count": count, "examples": [loaded(one.line()) for one in examples[why]]}
            for why, count in counts.most_common()
        ]
        print_json({"file": options.file, "dead_letters": counts.total(), "reasons": reasons})
        return
    print(f"{counts.total():,} dead letter{'s' * (counts.total() != 1)} in {options.file}")
    for why, count in counts.most_common():
        print(f"\n{count:>7,}  {why}", *map(_words, examples[why]), sep="\n")


async def retry(options: argparse.Namespace) -> int:
    """Embed the documents of a dead letter file again; return 3 if some still fail."""
    jobs.target(options)
    files = RetryFiles(Path(options.file), Path(options.checkpoint or f"{options.file}.checkpoint"))
    if options.resume and await anyio.to_thread.run_sync(_is_finished, files, options):
        left = await anyio.to_thread.run_sync(files.clean_up)
        words = f"the retry had finished already; {left:,} dead letters are left"
        print_json({"failed": left, "dead_letters": options.file if left else None}) if options.json else print(words)
        return SOME_FAILED if left else 0
    checkpoint = await anyio.to_thread.run_sync(_check, files, options)
    source = await anyio.to_thread.run_sync(DeadLetterSource.of, files.path)
    how = {**jobs.how(options), **jobs.known(options), **_of_retry(options)}
    async with cluster(options) as ml:
        how |= {"checkpoint": checkpoint, "dead_letters": files.failed}
        report = await jobs.run(ml, options, source, keep=True, **how)
    await anyio.to_thread.run_sync(files.commit, report.failed)
    left = await anyio.to_thread.run_sync(files.clean_up)
    report = attrs.evolve(report, dead_letters=options.file if left else None)
    print_json(attrs.asdict(report)) if options.json else print(report)
    return SOME_FAILED if left else 0


def _is_finished(files: RetryFiles, options: argparse.Namespace) -> bool:
    """Return whether the retry to resume has done all of its steps. It blocks."""
    if files.checkpoint.exists():
        return files.committed()
    return not files.path.exists() or jobs.is_finished(str(files.checkpoint), options)


def _of_retry(options: argparse.Namespace) -> dict[str, Any]:
    """Return the options that differ: all documents failed before, perhaps for their fields, and may fail again."""
    most = math.inf if options.max_failures is None else options.max_failures
    text = TextFrom(options.text, options.text_default)
    return {"text": text, "text_default": None, "id": retried_id(options.id), "max_failures": most}


def _counted(file: str, examples: int) -> tuple[Counter[str], dict[str, list[DeadLetter]]]:
    counts, kept = Counter[str](), defaultdict[str, list[DeadLetter]](list)
    for dead_letter in read_dead_letters(file):
        counts[dead_letter.reason] += 1
        if len(kept[dead_letter.reason]) < examples:
            kept[dead_letter.reason].append(dead_letter)
    return counts, kept


def _words(dead_letter: DeadLetter) -> str:
    if isinstance(dead_letter.document, BadRow):
        return f"         {dead_letter.document.where}: {dead_letter.document.raw[:_SHOWN]}"
    where = f"row {dead_letter.row}" if dead_letter.id is None else f"row {dead_letter.row}, id {dead_letter.id}"
    return f"         {where}: {dumped_anyhow(dead_letter.document).decode()[:_SHOWN]}"


def _check(files: RetryFiles, options: argparse.Namespace) -> Path | None:
    """Return the checkpoint of the retry, as ``jobs.checkpoint_of`` does.

    Raises UsageError if the retry would change the file of a job that is not finished, or replace an output.
    """
    path = files.path
    writer = path.with_name(path.name.removesuffix(".dead.jsonl") + ".checkpoint")
    found = CheckpointFile.peek(writer) if writer.name != f"{path.name}.checkpoint" else None
    if found is not None and not found[1].finished:
        raise UsageError(f"the job that writes {path} is not finished: resume it first, or remove {writer}")
    checkpoint = jobs.checkpoint_of(str(files.checkpoint), options)
    resumes = options.resume and CheckpointFile.peek(files.checkpoint) is not None
    if options.out is not None and Path(options.out).exists() and not (resumes or options.overwrite):
        raise UsageError(
            f"{options.out} exists already, and the documents of {path} alone would replace it: name another file"
        )
    return checkpoint
