"""``ingest`` and ``dead-letters``: bulk jobs."""

from __future__ import annotations

import argparse
from typing import Any

from aiomlcommons.cli.syntax import types
from aiomlcommons.cli.syntax.verbs import Noun, Verb


def _ingest(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("source", metavar="SOURCE", nargs="+", help="what to embed")
    _reading(verb.add_argument_group("source", "how a .csv or .tsv file is read; --encoding is for JSON too"))
    _chunking(verb.add_argument_group("chunks", "each a document of its own, ID#0, ID#1, ..."))
    _what(verb, id="the field of the id (default: id, or _id of an index); '' numbers the rows", default=None)
    _where(verb).add_argument(
        "--dead-letters",
        metavar="FILE",
        help="the file for documents that fail (default: beside the output, OUT.dead.jsonl; INDEX.dead.jsonl)",
    )
    _job(verb, checkpoint="beside the output, OUT.checkpoint; INDEX.checkpoint")
    trial = verb.add_argument_group("dry run")
    trial.add_argument(
        "--dry-run",
        action="store_true",
        help="write nothing: embed a sample, count the source, and print an estimate for all of it",
    )
    words = "rows of the sample (default: 1000)"
    trial.add_argument("--sample", type=types.positive, default=1_000, metavar="N", help=words)


def _list(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("file", metavar="FILE", help="what a job wrote, such as OUT.dead.jsonl")
    words = "examples shown for each reason (default: 3)"
    verb.add_argument("--examples", type=types.positive, default=3, metavar="N", help=words)


def _retry(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("file", metavar="FILE", help="what a job wrote, such as OUT.dead.jsonl")
    _what(verb, id="the field of the id if a dead letter has none (default: id)", default="id")
    _where(verb)
    _job(verb, checkpoint="FILE.checkpoint")


def _reading(group: Any) -> None:
    words = "what divides cells; \\t is a tab (default: a comma, or what the header tells)"
    group.add_argument("--delimiter", type=types.delimiter, metavar="CHARACTER", help=words)
    words = "whether quotes may enclose a cell (default: minimal, but none for tabs under a header without quotes)"
    group.add_argument("--quoting", choices=("minimal", "none"), help=words)
    words = "the text encoding, such as latin-1 (default: by the byte order mark, else utf-8)"
    group.add_argument("--encoding", type=types.encoding, metavar="NAME", help=words)
    header = group.add_mutually_exclusive_group()
    words = "the names of the columns, with commas between them, of a file without a header"
    header.add_argument("--header", type=types.names, metavar="NAMES", help=words)
    words = "the file has no header: name its columns column_1, column_2, ..."
    header.add_argument("--no-header", action="store_const", const=False, dest="header", help=words)


def _chunking(group: Any) -> None:
    words = "split texts into chunks of at most N characters, at sentences or whitespace (default: texts stay whole)"
    group.add_argument("--chunk-chars", type=types.positive, metavar="N", help=words)
    words = "the most characters that a chunk has in common with the one before it (default: 0)"
    group.add_argument("--chunk-overlap", type=types.not_negative, metavar="N", help=words)


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
    words = "the ingest pipeline that the documents of an index go through; without --model it embeds them"
    where.add_argument("--pipeline", metavar="NAME", help=words)
    where.add_argument(
        "--field", default="embedding", metavar="NAME", help="the field of the vector (default: embedding)"
    )
    _indexing(parser.add_argument_group("index", "how its field of vectors is made; one that exists must be so"))
    return where


def _indexing(group: Any) -> None:
    words = "the engine: lucene, faiss and others (default: the server's own)"
    group.add_argument("--engine", metavar="NAME", help=words)
    words = "the method: hnsw and others; seismic for a sparse model (default: hnsw, or none for a sparse model)"
    group.add_argument("--method", metavar="NAME", help=words)
    words = "how vectors are compared: cosinesimil, innerproduct, l2 and others (default: as suits the model)"
    group.add_argument("--space", metavar="NAME", help=words)
    words = "have no replicas during the load, and put them back whatever ends it, after a crash with --resume"
    group.add_argument("--replicas-off", action="store_true", help=words)


def _what(parser: argparse.ArgumentParser, *, id: str, default: str | None) -> None:
    words = "an id, a name, or a pretrained name (default: the server embeds, by --pipeline or semantic fields)"
    parser.add_argument("--model", metavar="MODEL", help=words)
    parser.add_argument("--text", default="text", metavar="FIELD", help="a field, a path or a template (default: text)")
    words = "what stands for a field of --text that is missing, null or NaN (default: such a row fails)"
    parser.add_argument("--text-default", type=types.maybe_empty, metavar="TEXT", help=words)
    parser.add_argument("--id", type=types.maybe_empty, default=default, metavar="FIELD", help=id)
    content_type(parser)


def _job(parser: argparse.ArgumentParser, *, checkpoint: str) -> None:
    _resuming(parser.add_argument_group("resuming"), checkpoint)
    words = "end the job after more dead letters: a number, or a share of the rows like 0.05 (default: if the first "
    words += "1000 rows all fail for one reason); inf never ends it"
    parser.add_argument("--max-failures", type=types.failures, metavar="N|SHARE", help=words)
    _caching(parser.add_argument_group("caching"))
    _batching(parser.add_argument_group("batching"))
    _pacing(parser.add_argument_group("concurrency and retries"))


def _resuming(group: Any, checkpoint: str) -> None:
    group.add_argument("--checkpoint", metavar="FILE", help=f"the checkpoint file (default: {checkpoint})")
    words = "continue an interrupted job; begin if there is none; do nothing if it is finished"
    group.add_argument("--resume", action="store_true", help=words)
    group.add_argument(
        "--checkpoint-every",
        type=types.positive,
        default=64,
        metavar="N",
        help="batches between checkpoints (default: 64)",
    )


def _caching(group: Any) -> None:
    group.add_argument("--cache", metavar="FILE", help="an SQLite file of vectors, which jobs share")
    words = "skip documents that were written into the index before with the same text; needs --cache"
    group.add_argument("--skip-unchanged", action="store_true", help=words)


def _batching(group: Any) -> None:
    batch_size(group)
    words = "write documents as soon as they are embedded, in any order"
    group.add_argument("--unordered", action="store_true", help=words)
    group.add_argument("--max-chars", type=types.positive, metavar="N", help="a longer text is a dead letter")
    words = "send a batch that is not full after this time (default: wait until it is full)"
    group.add_argument("--linger", type=types.seconds, metavar="SECONDS", help=words)


def batch_size(group: Any) -> None:
    """Add the options of how large a request to a model is."""
    words = "documents in a request (default: 64)"
    group.add_argument("--batch", type=types.positive, default=64, metavar="N", help=words)
    words = "bytes of text in a request (default: 1000000)"
    group.add_argument("--batch-bytes", type=types.positive, default=1_000_000, metavar="N", help=words)


def pace(group: Any) -> None:
    """Add the options of how fast a model is asked, and how patiently."""
    words = "requests at once: always N, or adapted to the server between A and B (default: 1-64)"
    group.add_argument("--concurrency", type=types.concurrency, default=(1, 64), metavar="N|A-B", help=words)
    for what in ("requests", "tokens"):
        words = f"rate limit: {what} a minute, evenly (default: no limit)"
        group.add_argument(f"--{what}-per-minute", type=types.positive, metavar="N", help=words)
    words = "end the job after this time without any response (default: 600)"
    group.add_argument("--stall-timeout", type=types.from_now, default=600.0, metavar="SECONDS", help=words)


def content_type(group: Any) -> None:
    """Add the option of what the texts are."""
    words = "what the texts are, for an asymmetric model"
    group.add_argument("--content-type", choices=("query", "passage"), help=words)


def _pacing(group: Any) -> None:
    pace(group)
    words = "retries that all requests share; each five successes earn another one (default: 100)"
    group.add_argument("--retry-budget", type=types.not_negative, default=100, metavar="N", help=words)
    words = "do not redeploy a model that is gone from the nodes, but wait for it"
    group.add_argument("--no-redeploy", action="store_true", help=words)


INGEST = Verb(
    "ingest",
    "ingest.ingest",
    "embed a source into a file or an index",
    _ingest,
    more="A source is a file (.jsonl, .json, .csv, .tsv, .parquet, .arrow, compressed or not), several of them, a "
    "glob or a folder; a URL such as s3://bucket/*.jsonl; - for standard input; index:NAME for an index of the "
    "cluster. With --index and --pipeline but no --model the server embeds. "
    "--resume continues an interrupted job, even after kill -9. Documents that fail for good are dead "
    "letters; then the exit code is 3.",
    examples=[
        "ingest docs.jsonl --model all-MiniLM-L6-v2 --out vectors.npy --dry-run",
        "ingest docs.jsonl --model all-MiniLM-L6-v2 --out docs.parquet --resume",
        "ingest docs.jsonl --model all-MiniLM-L6-v2 --index docs --json",
    ],
)

DEAD_LETTERS = Noun(
    "dead-letters",
    "documents of a job that failed for good",
    [
        Verb(
            "list",
            "dead_letters.show",
            "count the dead letters of a file by reason",
            _list,
            examples=["dead-letters list old.dead.jsonl"],
            local=True,
        ),
        Verb(
            "retry",
            "dead_letters.retry",
            "embed the documents of a dead letter file again",
            _retry,
            more="They get the ids under which they failed. At the end the file is replaced by those that still fail, "
            "and the exit code is 3; if none does, it is removed. Until then it does not change.",
            examples=["dead-letters retry old.dead.jsonl --model all-MiniLM-L6-v2 --index docs"],
        ),
    ],
)
