"""The arguments of bulk jobs: ``ingest`` and ``dead-letter``."""

from __future__ import annotations

import argparse
import math
from typing import Any


def add_ingest(commands: Any, cluster: argparse.ArgumentParser) -> None:
    """Add ``aiomlcommons ingest``."""
    ingest = commands.add_parser(
        "ingest",
        parents=[cluster],
        help="embed a source into a file or an index",
        description="Embed a source (.jsonl, .json, .csv, .tsv, .parquet, .arrow, compressed or not; several of them, "
        "a glob or a folder; a URL such as s3://bucket/*.jsonl; - for standard input; index:NAME for an index of the "
        "cluster) into a file or an index. --resume continues an interrupted job, even after kill -9. Documents that "
        "fail for good are dead letters; then the exit code is 3.",
    )
    ingest.set_defaults(command="ingest.ingest")
    ingest.add_argument("source", metavar="SOURCE", nargs="+", help="what to embed")
    _reading(ingest.add_argument_group("source", "how a .csv or .tsv file is read; --encoding is for JSON too"))
    _chunking(ingest.add_argument_group("chunks", "each a document of its own, ID#0, ID#1, ..."))
    _what(ingest, id="the field of the id (default: id, or _id of an index); '' numbers the rows", default=None)
    _where(ingest).add_argument(
        "--dead-letters",
        metavar="FILE",
        help="the file for documents that fail (default: beside the output, OUT.dead.jsonl; INDEX.dead.jsonl)",
    )
    _job(ingest, checkpoint="beside the output, OUT.checkpoint; INDEX.checkpoint")
    trial = ingest.add_argument_group("dry run")
    trial.add_argument(
        "--dry-run",
        action="store_true",
        help="write nothing: embed a sample, count the source, and print an estimate for all of it",
    )
    trial.add_argument("--sample", type=positive, default=1_000, metavar="N", help="rows of the sample (default: 1000)")


def add_dead_letter(commands: Any, cluster: argparse.ArgumentParser) -> None:
    """Add ``aiomlcommons dead-letter list | retry``."""
    verbs = commands.add_parser("dead-letter", help="documents that failed for good").add_subparsers(
        required=True, metavar="VERB"
    )
    words = "count the dead letters of a file by reason"
    shown = verbs.add_parser("list", help=words, description=words)
    shown.set_defaults(command="dead_letters.show")
    shown.add_argument("file", metavar="FILE", help="what a job wrote, such as OUT.dead.jsonl")
    shown.add_argument(
        "--examples", type=positive, default=3, metavar="N", help="examples shown for each reason (default: 3)"
    )
    shown.add_argument("--json", action="store_true", help="print JSON")
    retry = verbs.add_parser(
        "retry",
        parents=[cluster],
        help="embed the documents of a file again",
        description="Embed the documents of a dead letter file again, under the ids under which they failed. "
        "At the end the file is replaced by those that still fail, and the exit code is 3; if none does, it is "
        "removed. Until then it does not change.",
    )
    retry.set_defaults(command="dead_letters.retry")
    retry.add_argument("file", metavar="FILE", help="what a job wrote, such as OUT.dead.jsonl")
    _what(retry, id="the field of the id if a dead letter has none (default: id)", default="id")
    _where(retry)
    _job(retry, checkpoint="FILE.checkpoint")


def positive(text: str) -> int:
    """Parse a whole number from 1 on."""
    return _whole(text, 1)


def not_negative(text: str) -> int:
    """Parse a whole number from 0 on."""
    return _whole(text, 0)


def _whole(text: str, least: int) -> int:
    try:
        number = int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be a whole number, not {text!r}") from None
    if number < least:
        raise argparse.ArgumentTypeError(f"must be {least} or more, not {number}")
    return number


def failures(text: str) -> float:
    """Parse the most failures: a whole number from 0 on, a share between 0 and 1, or ``inf``."""
    try:
        number = int(text) if text.isdecimal() else float(text)
    except ValueError:
        number = -1
    if not (0 <= number < math.inf and isinstance(number, int)) and not 0 < number < 1 and number != math.inf:
        raise argparse.ArgumentTypeError(f"must be a whole number, a share like 0.05, or inf, not {text!r}")
    return number


def seconds(text: str) -> float:
    """Parse a number of seconds that is not negative."""
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not number >= 0:
        raise argparse.ArgumentTypeError(f"must be a number of seconds, not {text!r}")
    return number


def concurrency(text: str) -> int | tuple[int, int]:
    """Parse a concurrency: ``4``, or the bounds ``1-64``."""
    first, dash, last = text.partition("-")
    if not dash:
        return positive(first)
    least, most = positive(first), positive(last)
    if least > most:
        raise argparse.ArgumentTypeError(f"must be like 4 or 1-64, not {text!r}")
    return least, most


def delimiter(text: str) -> str:
    """Parse a delimiter; ``\\t`` and ``tab`` are a tab."""
    return "\t" if text in {"\\t", "tab"} else text


def names(text: str) -> list[str]:
    """Parse names that commas divide."""
    return text.split(",")


def _reading(group: Any) -> None:
    words = "what divides cells; \\t is a tab (default: a comma, or what the header tells)"
    group.add_argument("--delimiter", type=delimiter, metavar="CHARACTER", help=words)
    words = "whether quotes may enclose a cell (default: minimal, but none for tabs under a header without quotes)"
    group.add_argument("--quoting", choices=("minimal", "none"), help=words)
    words = "the text encoding, such as latin-1 (default: by the byte order mark, else utf-8)"
    group.add_argument("--encoding", metavar="NAME", help=words)
    header = group.add_mutually_exclusive_group()
    words = "the names of the columns, with commas between them, of a file without a header"
    header.add_argument("--header", type=names, metavar="NAMES", help=words)
    words = "the file has no header: name its columns column_1, column_2, ..."
    header.add_argument("--no-header", action="store_const", const=False, dest="header", help=words)


def _chunking(group: Any) -> None:
    words = "split texts into chunks of at most N characters, at sentences or whitespace (default: texts stay whole)"
    group.add_argument("--chunk-chars", type=positive, metavar="N", help=words)
    words = "the most characters that a chunk has in common with the one before it (default: 0)"
    group.add_argument("--chunk-overlap", type=not_negative, metavar="N", help=words)


def _where(parser: argparse.ArgumentParser) -> Any:
    where = parser.add_argument_group("output", "either --out or --index")
    where.add_argument("--out", metavar="FILE", help="write a .jsonl, .npy or .parquet file; - for standard output")
    words = "replace an output file that exists, or documents of an index whose ids are row numbers"
    where.add_argument("--overwrite", action="store_true", help=words)
    where.add_argument("--index", metavar="NAME", help="write into an index of the cluster; created if it is missing")
    words = (
        "let the server make the ids of an index's documents (default: those of the rows; a server that takes none, as "
    )
    words += "Amazon OpenSearch Serverless, finds them in the field ingest_id, and delivery is at-least-once)"
    where.add_argument("--ids", choices=["auto"], help=words)
    where.add_argument(
        "--field", default="embedding", metavar="NAME", help="the field of the vector (default: embedding)"
    )
    return where


def _what(parser: argparse.ArgumentParser, *, id: str, default: str | None) -> None:
    parser.add_argument("--model", required=True, metavar="NAME_OR_ID", help="as for `models ensure`")
    parser.add_argument("--text", default="text", metavar="FIELD", help="a field, a path or a template (default: text)")
    words = "what stands for a field of --text that is missing, null or NaN (default: such a row fails)"
    parser.add_argument("--text-default", metavar="TEXT", help=words)
    parser.add_argument("--id", default=default, metavar="FIELD", help=id)
    words = "what the texts are, for an asymmetric model"
    parser.add_argument("--content-type", choices=("query", "passage"), help=words)
    parser.add_argument("--json", action="store_true", help="print the report as JSON")


def _job(parser: argparse.ArgumentParser, *, checkpoint: str) -> None:
    _resuming(parser.add_argument_group("resuming"), checkpoint)
    words = "end the job after more dead letters: a number, or a share of the rows like 0.05 (default: if the first "
    words += "1000 rows all fail for one reason); inf never ends it"
    parser.add_argument("--max-failures", type=failures, metavar="N|SHARE", help=words)
    _caching(parser.add_argument_group("caching"))
    _batching(parser.add_argument_group("batching"))
    _pacing(parser.add_argument_group("concurrency and retries"))


def _resuming(group: Any, checkpoint: str) -> None:
    group.add_argument("--checkpoint", metavar="FILE", help=f"the checkpoint file (default: {checkpoint})")
    words = "continue an interrupted job; begin if there is none; do nothing if it is finished"
    group.add_argument("--resume", action="store_true", help=words)
    group.add_argument(
        "--checkpoint-every", type=positive, default=64, metavar="N", help="batches between checkpoints (default: 64)"
    )


def _caching(group: Any) -> None:
    group.add_argument("--cache", metavar="FILE", help="an SQLite file of vectors, which jobs share")
    words = "skip documents that were written into the index before with the same text; needs --cache"
    group.add_argument("--skip-unchanged", action="store_true", help=words)


def _batching(group: Any) -> None:
    group.add_argument("--batch", type=positive, default=64, metavar="N", help="documents in a request (default: 64)")
    words = "bytes of text in a request (default: 1000000)"
    group.add_argument("--batch-bytes", type=positive, default=1_000_000, metavar="N", help=words)
    words = "write documents as soon as they are embedded, in any order"
    group.add_argument("--unordered", action="store_true", help=words)
    group.add_argument("--max-chars", type=positive, metavar="N", help="a longer text is a dead letter")
    words = "send a batch that is not full after this time (default: wait until it is full)"
    group.add_argument("--linger", type=seconds, metavar="SECONDS", help=words)


def _pacing(group: Any) -> None:
    words = "requests at once: always N, or adapted to the server between A and B (default: 1-64)"
    group.add_argument("--concurrency", type=concurrency, default=(1, 64), metavar="N|A-B", help=words)
    for what in ("requests", "tokens"):
        words = f"rate limit: {what} a minute, evenly (default: no limit)"
        group.add_argument(f"--{what}-per-minute", type=positive, metavar="N", help=words)
    words = "end the job after this time without any response (default: 600)"
    group.add_argument("--stall-timeout", type=seconds, default=600.0, metavar="SECONDS", help=words)
    words = "retries that all requests share; each five successes earn another one (default: 100)"
    group.add_argument("--retry-budget", type=not_negative, default=100, metavar="N", help=words)
    words = "do not redeploy a model that is gone from the nodes, but wait for it"
    group.add_argument("--no-redeploy", action="store_true", help=words)
