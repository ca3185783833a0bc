"""Queries of full text. A field of another type is compared as a whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from aiomlcommons.emulator.querying._fields import matching, one_field, words
from aiomlcommons.emulator.querying.errors import not_emulated
from aiomlcommons.emulator.querying.scope import Row, Scope, Scorer, no_row, values
from aiomlcommons.emulator.querying.texts import tokens

ANALYZED = {"text", ""}
IsLast = Callable[[str, str], bool]


def match(wanted: Any, scope: Scope) -> Scorer:
    """Match texts that share words with the query: one, all (``operator``), or some (``minimum_should_match``)."""
    name, text, options = one_field("match", wanted, "query")
    return _matching(scope, name, text, options)


def _matching(scope: Scope, name: str, text: Any, options: Mapping[str, Any]) -> Scorer:
    field, boost = scope.field(name), float(options.get("boost", 1.0))
    if field is None or field.type not in ANALYZED:
        return matching(scope, name, [text], boost)
    if options.get("fuzziness"):
        raise not_emulated("fuzziness")
    wanted = tokens(str(text))
    needed = len(wanted) if str(options.get("operator", "or")).lower() == "and" else 1
    return words(scope, field, wanted, boost, int(options.get("minimum_should_match", needed)))


def multi_match(wanted: Any, scope: Scope) -> Scorer:
    """Match any of several fields; the best one counts."""
    inner = [_matching(scope, name, wanted["query"], wanted) for name in wanted.get("fields", ())]

    def score(row: Row) -> float | None:
        return max((found for one in inner if (found := one(row)) is not None), default=None)

    return score


def match_phrase(wanted: Any, scope: Scope) -> Scorer:
    """Match texts that have the words in this order, one after the other."""
    return _phrase("match_phrase", wanted, scope, str.__eq__)


def match_phrase_prefix(wanted: Any, scope: Scope) -> Scorer:
    """Match as ``match_phrase``; the last word may be the beginning of one."""
    return _phrase("match_phrase_prefix", wanted, scope, str.startswith)


def _phrase(query: str, wanted: Any, scope: Scope, is_last: IsLast) -> Scorer:
    name, text, options = one_field(query, wanted, "query")
    field, boost = scope.field(name), float(options.get("boost", 1.0))
    if field is None or field.type not in ANALYZED:
        return matching(scope, name, [text], boost)
    phrase, texts = tokens(str(text)), scope.texts(field.path)
    if not phrase:
        return no_row
    every = [*phrase[:-1], *(word for word in texts.frequencies if is_last(word, phrase[-1]))]

    def score(row: Row) -> float | None:
        found = values(row.source, field.path)
        count = sum(_occurrences(tokens(str(one)), phrase, is_last) for one in found)
        return boost * texts.phrase_score(every, count, row.id) if count else None

    return score


def _occurrences(text: Sequence[str], phrase: Sequence[str], is_last: IsLast) -> int:
    size = len(phrase)
    parts = (text[i : i + size] for i in range(len(text) - size + 1))
    return sum(part[:-1] == phrase[:-1] and is_last(part[-1], phrase[-1]) for part in parts)
