"""``search``: search an index for a text."""

from __future__ import annotations

import argparse

from aiomlcommons.cli.syntax import types
from aiomlcommons.cli.syntax.models import response_time
from aiomlcommons.cli.syntax.verbs import Verb


def _search(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("index", metavar="INDEX", help="an index, or an alias")
    verb.add_argument("text", metavar="TEXT", help="what to search for")
    words = "an id or a name (default: the one that the index itself names)"
    verb.add_argument("--model", metavar="MODEL", help=words)
    verb.add_argument("--size", type=types.positive, default=10, metavar="N", help="hits to show (default: 10)")
    words = "show what would be sent, and why, without searching"
    verb.add_argument("--dry-run", action="store_true", help=words)
    _what(verb.add_argument_group("query"))
    response_time(verb)


def _what(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--field", metavar="NAME", help="the field of vectors (default: the only one that fits)")
    words = "the field of texts whose words are searched as well (default: the only one)"
    group.add_argument("--text-field", metavar="NAME", help=words)
    words = "whether words are searched as well (default: where a field of texts is known)"
    group.add_argument("--hybrid", action=argparse.BooleanOptionalAction, help=words)
    words = "the nearest vectors of each shard to find (default: 100, or --size if that is more)"
    group.add_argument("--k", type=types.positive, metavar="N", help=words)
    words = """a query that documents must match, such as '{"term": {"book": "Proverbs"}}'"""
    group.add_argument("--filter", metavar="JSON", help=words)


SEARCH = Verb(
    "search",
    "searches.search",
    "search an index for a text, by the query that fits its mapping",
    _search,
    more="Dense vectors, weights of tokens, or words as well: what was sent, and why, goes to standard error.",
    examples=[
        'search docs "text number 7" --model all-MiniLM-L6-v2',
        'search docs "text number 7" --model all-MiniLM-L6-v2 --dry-run',
    ],
)
