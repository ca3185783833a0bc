"""``aiomlcommons dead-letter``: what failed for good, and another try."""

from __future__ import annotations

import argparse
from collections import Counter, defaultdict
from pathlib import Path

import anyio.to_thread
import attrs
import orjson

from aiomlcommons.cli import jobs
from aiomlcommons.cli.common import UsageError, cluster
from aiomlcommons.cli.tables import print_json
from aiomlcommons.ingest.reprocess import LetterSource, keep_failed, letter_id
from aiomlcommons.ingest.state.checkpoint import CheckpointFile
from aiomlcommons.ingest.state.dead_letters import DeadLetter, read_dead_letters
from aiomlcommons.ingest.types import BadRow

_SHOWN = 100


async def show(options: argparse.Namespace) -> None:
    """Count the letters of a file by their reasons, with some of each."""
    counts, examples = await anyio.to_thread.run_sync(_counted, options.file, options.examples)
    if options.json:
        reasons = [
            {"reason": why, "count": count, "examples": [orjson.loads(one.line()) for one in examples[why]]}
            for why, count in counts.most_common()
        ]
        print_json({"file": options.file, "letters": counts.total(), "reasons": reasons})
        return
    print(f"{counts.total():,} dead letters in {options.file}")
    for why, count in counts.most_common():
        print(f"\n{count:>7,}  {why}", *map(_words, examples[why]), sep="\n")


async def retry(options: argparse.Namespace) -> int:
    """Embed the documents of a file again; 3 where some of its letters stay."""
    jobs.target(options)
    path = Path(options.file)
    checkpoint, failed = Path(options.checkpoint or f"{path}.checkpoint"), Path(f"{path}.failed")
    if options.resume and await anyio.to_thread.run_sync(_had_ended, path, checkpoint, failed):
        left = await anyio.to_thread.run_sync(_tidied, path, checkpoint, failed)
        words = f"the retry had come to its end; {left:,} letters are left"
        print_json({"failed": left, "dead_letters": options.file if left else None}) if options.json else print(words)
        return jobs.SOME_FAILED if left else 0
    await anyio.to_thread.run_sync(_check, path, checkpoint, options)
    source = await anyio.to_thread.run_sync(LetterSource.of, path)
    how = {**jobs.how(options), **jobs.known(options), "id": letter_id(options.id)}
    async with cluster(options) as ml:
        report = await jobs.run(ml, options, source, checkpoint=checkpoint, dead_letters=failed, **how)
    await anyio.to_thread.run_sync(keep_failed, path, failed, report.failed)
    left = await anyio.to_thread.run_sync(_tidied, path, checkpoint, failed)
    report = attrs.evolve(report, dead_letters=options.file if left else None)
    print_json(attrs.asdict(report)) if options.json else print(report)
    return jobs.SOME_FAILED if left else 0


def _counted(file: str, examples: int) -> tuple[Counter[str], dict[str, list[DeadLetter]]]:
    counts, kept = Counter[str](), defaultdict[str, list[DeadLetter]](list)
    for letter in read_dead_letters(file):
        counts[letter.reason] += 1
        if len(kept[letter.reason]) < examples:
            kept[letter.reason].append(letter)
    return counts, kept


def _words(letter: DeadLetter) -> str:
    if isinstance(letter.document, BadRow):
        return f"         {letter.document.where}: {letter.document.raw[:_SHOWN]}"
    where = f"row {letter.row}" if letter.id is None else f"row {letter.row}, id {letter.id}"
    return f"         {where}: {orjson.dumps(letter.document).decode()[:_SHOWN]}"


def _check(path: Path, checkpoint: Path, options: argparse.Namespace) -> None:
    """Raises UsageError where the retry would spoil something: the file of a job under way, or an output."""
    writer = path.with_name(path.name.removesuffix(".dead.jsonl") + ".checkpoint")
    there = CheckpointFile.peek(writer) if writer.name != f"{path.name}.checkpoint" else None
    if there is not None and not there[1].finished:
        raise UsageError(f"the job that writes {path} is not finished: go on with it first, or remove {writer}")
    jobs.may_begin(checkpoint, options)
    going_on = CheckpointFile.peek(checkpoint) is not None
    if options.out is not None and Path(options.out).exists() and not going_on:
        raise UsageError(
            f"{options.out} is there already, and the documents of {path} alone would replace it: name another file"
        )


def _had_ended(path: Path, checkpoint: Path, failed: Path) -> bool:
    """Whether a retry was broken off after the file was made what it should be."""
    found = CheckpointFile.peek(checkpoint)
    if found is None or not found[1].finished:
        return False
    # Letters that failed again as before make the same file; what failed is removed after it was made.
    gone = found[1].counts["failed"] > 0 and not failed.exists()
    return gone or not path.exists() or found[0].get("source") != LetterSource.of(path).name


def _tidied(path: Path, checkpoint: Path, failed: Path) -> int:
    """Remove what only a retry under way needs; return how many letters are left."""
    # The checkpoint last: with it, what is left tells that a retry had ended.
    for name in (failed, *(Path(f"{checkpoint}.seen{part}") for part in ("", "-wal")), checkpoint):
        name.unlink(missing_ok=True)
    return sum(1 for _ in read_dead_letters(path)) if path.exists() else 0
