"""What can be typed for bulk jobs: ``ingest`` and ``dead-letter``."""

from __future__ import annotations

import argparse
from typing import Any


def add_ingest(commands: Any, cluster: argparse.ArgumentParser) -> None:
    """``aiomlcommons ingest``."""
    ingest = commands.add_parser(
        "ingest",
        parents=[cluster],
        help="embed a source into a file or an index",
        description="Embed a source (.jsonl, .csv, .tsv, .parquet, .arrow, compressed or not; a folder of Parquet "
        "files; - for standard input; index:NAME for an index of the cluster) into a file or an index. A job that is "
        "broken off, even by kill -9, goes on with --resume. Documents that fail for good are dead letters; the exit "
        "code is 3 then.",
    )
    ingest.set_defaults(command="ingest.ingest")
    ingest.add_argument("source", metavar="SOURCE", help="what to embed")
    _what(ingest, id="the field of the id (default: id, or _id of an index); '' numbers the rows", default=None)
    _where(ingest).add_argument(
        "--dead-letters", metavar="FILE", help="where to write what fails (default: beside the output, OUT.dead.jsonl)"
    )
    _job(ingest, checkpoint="beside the output, OUT.checkpoint; INDEX.checkpoint for an index")
    trial = ingest.add_argument_group("trying it out")
    trial.add_argument(
        "--dry-run",
        action="store_true",
        help="write nothing: embed the first rows, count the source, and print what all of it would take",
    )
    trial.add_argument(
        "--sample", type=positive, default=1_000, metavar="N", help="rows that a dry run embeds (default: 1000)"
    )


def add_dead_letter(commands: Any, cluster: argparse.ArgumentParser) -> None:
    """``aiomlcommons dead-letter list | retry``."""
    verbs = commands.add_parser("dead-letter", help="documents that failed for good").add_subparsers(
        required=True, metavar="VERB"
    )
    words = "count the letters of a file by their reasons"
    shown = verbs.add_parser("list", help=words, description=words)
    shown.set_defaults(command="dead_letters.show")
    shown.add_argument("file", metavar="FILE", help="what a job wrote, such as OUT.dead.jsonl")
    shown.add_argument(
        "--examples", type=positive, default=3, metavar="N", help="letters shown for each reason (default: 3)"
    )
    shown.add_argument("--json", action="store_true", help="print JSON")
    retry = verbs.add_parser(
        "retry",
        parents=[cluster],
        help="embed the documents of a file again",
        description="Embed the documents of a dead letter file again, under the ids that they had. In the end the file "
        "holds those that still fail, and the exit code is 3; where none does, it is gone. Until then it stays as it "
        "is.",
    )
    retry.set_defaults(command="dead_letters.retry")
    retry.add_argument("file", metavar="FILE", help="what a job wrote, such as OUT.dead.jsonl")
    _what(retry, id="the field of the id where a letter has none (default: id)", default="id")
    _where(retry)
    _job(retry, checkpoint="FILE.checkpoint")


def positive(text: str) -> int:
    """A whole number from 1 on."""
    try:
        number = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a whole number, not {text!r}") from None
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be 1 or more, not {number}")
    return number


def seconds(text: str) -> float:
    """A number of seconds that is not negative."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not number >= 0:
        raise argparse.ArgumentTypeError(f"must be a number of seconds, not {text!r}")
    return number


def concurrency(text: str) -> int | tuple[int, int]:
    """``4``, or ``1-64``."""
    first, dash, last = text.partition("-")
    if not dash:
        return positive(first)
    least, most = positive(first), positive(last)
    if least > most:
        raise argparse.ArgumentTypeError(f"must be like 4 or 1-64, not {text!r}")
    return least, most


def _where(parser: argparse.ArgumentParser) -> Any:
    where = parser.add_argument_group("where to", "one of --out and --index")
    where.add_argument("--out", metavar="FILE", help="write a .jsonl, .npy or .parquet file")
    where.add_argument("--index", metavar="NAME", help="write into an index of the cluster; made where there is none")
    where.add_argument(
        "--field", default="embedding", metavar="NAME", help="the field of the vector (default: embedding)"
    )
    return where


def _what(parser: argparse.ArgumentParser, *, id: str, default: str | None) -> None:
    parser.add_argument("--model", required=True, metavar="NAME_OR_ID", help="as for `models ensure`")
    parser.add_argument("--text", default="text", metavar="FIELD", help="a field, a path or a template (default: text)")
    parser.add_argument("--id", default=default, metavar="FIELD", help=id)
    parser.add_argument("--json", action="store_true", help="print the report as JSON")


def _job(parser: argparse.ArgumentParser, *, checkpoint: str) -> None:
    again = parser.add_argument_group("going on")
    again.add_argument("--checkpoint", metavar="FILE", help=f"where to note how far it is (default: {checkpoint})")
    again.add_argument("--resume", action="store_true", help="go on with a job that was broken off")
    known = parser.add_argument_group("what need not be embedded")
    known.add_argument("--cache", metavar="FILE", help="an SQLite file of vectors, which jobs share")
    known.add_argument(
        "--skip-unchanged",
        action="store_true",
        help="leave out documents that were written into the index before with the same text; needs --cache",
    )
    how = parser.add_argument_group("how")
    how.add_argument("--batch", type=positive, default=64, metavar="N", help="documents in a request (default: 64)")
    how.add_argument(
        "--batch-bytes", type=positive, default=1_000_000, metavar="N", help="text in a request (default: 1000000)"
    )
    how.add_argument(
        "--concurrency",
        type=concurrency,
        default=(1, 64),
        metavar="N|A-B",
        help="requests at once: always N, or between A and B as the server bears it (default: 1-64)",
    )
    for what in ("requests", "tokens"):
        words = f"no more {what} a minute, evenly (default: no limit)"
        how.add_argument(f"--{what}-per-minute", type=positive, metavar="N", help=words)
    how.add_argument("--unordered", action="store_true", help="write documents as they are done, in any order")
    how.add_argument("--max-chars", type=positive, metavar="N", help="a text of more characters fails")
    how.add_argument("--linger", type=seconds, metavar="SECONDS", help="send a batch that waited so long to be full")
    how.add_argument(
        "--stall-timeout",
        type=seconds,
        default=600.0,
        metavar="SECONDS",
        help="how long the server may be away before the job is broken off (default: 600)",
    )
    how.add_argument(
        "--retry-budget",
        type=positive,
        default=100,
        metavar="N",
        help="retries that all requests share; each five successes earn another one (default: 100)",
    )
    how.add_argument(
        "--no-redeploy", action="store_true", help="leave a model alone that is gone from the nodes, and wait for it"
    )
    how.add_argument(
        "--checkpoint-every", type=positive, default=64, metavar="N", help="batches between checkpoints (default: 64)"
    )
