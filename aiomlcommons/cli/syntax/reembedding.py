"""``reembed``: a new model for an index that is in use."""

from __future__ import annotations

import argparse
from typing import Any

from aiomlcommons.cli.syntax import types
from aiomlcommons.cli.syntax.jobs import batch_size, content_type, pace
from aiomlcommons.cli.syntax.models import confirmation
from aiomlcommons.cli.syntax.verbs import Verb

_INSTEAD = "only one of them"


def _reembed(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("index", metavar="INDEX", help="the index, by its own name")
    words = "the new model: an id or a name (default: that of the run that is gone on with)"
    verb.add_argument("--model", metavar="MODEL", help=words)
    words = "the alias by which programs search and write, which is switched to a new index"
    verb.add_argument("--alias", metavar="NAME", help=words)
    words = "the field of the vectors (default: the only one); without --alias a new field of the same index"
    verb.add_argument("--field", metavar="NAME", help=words)
    words = "what is embedded: a field, a path or a template (default: text)"
    verb.add_argument("--text", default="text", metavar="FIELD", help=words)
    _instead(verb.add_argument_group("one step alone, in place of all up to the switch", _INSTEAD))
    _new_index(verb.add_argument_group("new index"))
    _judging(verb.add_argument_group("checks before the switch"))
    _pacing(verb.add_argument_group("pace"))


def _instead(group: Any) -> None:
    steps = group.add_mutually_exclusive_group()
    for step, words in (
        ("dry-run", "check everything, and tell how much and how long; nothing is written"),
        ("until-switch", "do all but the switch"),
        ("follow", "after the switch, embed what writers write without a vector, until Ctrl-C"),
        ("status", "tell how far it is"),
        ("rollback", "go back: searches answer as before, and nothing written meanwhile is lost"),
        ("finish", "end it, after the switch"),
    ):
        steps.add_argument(f"--{step}", dest="step", action="store_const", const=step, help=words)
    words = "with --finish: delete the old index, after confirmation"
    group.add_argument("--delete-old", action="store_true", help=words)
    confirmation(group)
    words = "only go on with a run, and never begin one (default: go on, or begin)"
    group.add_argument("--resume", action="store_true", help=words)
    words = "write the report into a file, too: .md, .html or .json"
    group.add_argument("--report", metavar="FILE", help=words)


def _new_index(group: Any) -> None:
    group.add_argument("--target", metavar="NAME", help="its name (default: that of the old one and of the model)")
    group.add_argument("--engine", metavar="NAME", help="the engine of dense vectors (default: that of the old field)")
    group.add_argument("--method", metavar="NAME", help="the method: hnsw and others (default: that of the old field)")
    words = "how vectors are compared (default: as in the old field, if that suits the model)"
    group.add_argument("--space", metavar="NAME", help=words)
    words = "its ingest pipeline for writers; _none is none (default: that of the old index, unless that embeds)"
    group.add_argument("--pipeline", metavar="NAME", help=words)
    words = "its search pipeline; _none is none (default: that of the old index, unless that names the old model)"
    group.add_argument("--search-pipeline", metavar="NAME", help=words)
    words = "block writes into the old index for the last moments: writers get errors, and nothing is late"
    group.add_argument("--freeze", action="store_true", help=words)


def _judging(group: Any) -> None:
    words = "queries by which both models are measured: .jsonl, .tsv or .txt, as `evaluate` takes them"
    group.add_argument("--queries", metavar="FILE", help=words)
    words = "which documents are the right ones for them: .tsv, .qrels or .jsonl"
    group.add_argument("--judgments", metavar="FILE", help=words)
    words = "what the new vectors must be, such as 'ndcg@10 >= old - 0.02' or 'overlap@10 >= 0.5', or nothing is "
    words += "switched and the exit code is 5; may be given again"
    group.add_argument("--require", metavar="REQUIREMENT", action="append", default=[], help=words)
    words = "the model of the old vectors (default: what a pipeline of the index tells)"
    group.add_argument("--old-model", metavar="MODEL", help=words)
    words = "how many documents may stay without a vector because the model refuses them (default: 0)"
    group.add_argument("--max-failures", type=types.not_negative, default=0, metavar="N", help=words)
    words = "the file for documents that the model refuses (default: TARGET.dead.jsonl)"
    group.add_argument("--dead-letters", metavar="FILE", help=words)


def _pacing(group: Any) -> None:
    batch_size(group)
    pace(group)
    content_type(group)


REEMBED = Verb(
    "reembed",
    "reembedding.reembed",
    "give an index that is in use a new model, without downtime",
    _reembed,
    more="With --alias a new index is made, filled, compared with the old one, and the alias is switched to it in one "
    "request; without it the vectors become a second field of the same index. The same command goes on after a crash, "
    "even after kill -9.",
    examples=[
        "reembed docs --model all-mpnet-base-v2 --alias docs-live --dry-run",
        "reembed docs --model all-mpnet-base-v2 --alias docs-live",
        "reembed docs --model all-mpnet-base-v2 --field embedding_2",
    ],
)
