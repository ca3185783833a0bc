"""``evaluate``: measure search systems on queries of one's own."""

from __future__ import annotations

import argparse

from aiomlcommons.cli.syntax import types
from aiomlcommons.cli.syntax.models import response_time
from aiomlcommons.cli.syntax.verbs import Verb

OPTIONS = ("model", "field", "text-field", "hybrid", "k", "search-pipeline", "id")
"""What may follow the index of a system, as ``name=value``."""


def _evaluate(verb: argparse.ArgumentParser) -> None:
    words = "the queries: .jsonl (_id and text, as BEIR's), .tsv (id, tab, text) or .txt (a text a line)"
    verb.add_argument("queries", metavar="QUERIES", help=words)
    words = "the grades of documents: .tsv or .qrels (BEIR, TREC), or .jsonl (query-id, corpus-id, score)"
    verb.add_argument("judgments", metavar="JUDGMENTS", help=words)
    words = (
        "a system to measure, the present one first, such as new=docs-2,model=MODEL; may be given again; its options: "
    )
    words += f"{', '.join(f'{name}=' for name in OPTIONS)}"
    verb.add_argument("--system", metavar="NAME=INDEX,...", action="append", required=True, help=words)
    words = "how many hits count, or several such numbers with commas between them (default: 10)"
    verb.add_argument("--k", type=types.several_positive, default=[10], metavar="K", help=words)
    words = "what the last system must fulfil, such as 'ndcg@10 >= old - 0.02', or the exit code is 5; may be given "
    words += "again"
    verb.add_argument("--require", metavar="REQUIREMENT", action="append", default=[], help=words)
    verb.add_argument("--plot", metavar="FILE", help="write a plot, too: .svg, .png or .pdf")
    words = "searches at once (default: 8)"
    verb.add_argument("--concurrency", type=types.positive, default=8, metavar="N", help=words)
    response_time(verb)


EVALUATE = Verb(
    "evaluate",
    "evaluation.evaluate",
    "measure recall, nDCG and MRR of models and pipelines side by side",
    _evaluate,
    more="Each query is sent to each system, as `search` does it, and compared with the judgments.",
    examples=[
        "evaluate queries.jsonl judgments.tsv --system now=docs,model=all-MiniLM-L6-v2",
        'evaluate queries.jsonl judgments.tsv --system now=docs,model=all-MiniLM-L6-v2 --require "mrr@10 >= 0.5"',
    ],
)
