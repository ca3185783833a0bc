"""Queries of exact values: terms, ids, ranges, patterns, and whether there is any value."""

from __future__ import annotations

import fnmatch
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from aiomlcommons.emulator.errors import illegal, refused
from aiomlcommons.emulator.querying.errors import cause, parsing, suggestion
from aiomlcommons.emulator.querying.scope import Field, Row, Scope, Scorer, no_row
from aiomlcommons.emulator.querying.types import comparable

NO_RANGES = {"_id", "_version"}
UNSEARCHABLE = "Cannot search on field [{name}] since it is both not indexed, and does not have doc_values enabled."
NO_QUERIES = {"rank_feature", "rank_features", "knn_vector"}
BOUNDS: Mapping[str, Callable[[Any, Any], bool]] = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}
RANGE_OPTIONS = {*BOUNDS, "from", "to", "boost", "format", "time_zone", "relation", "_name"}


def one_field(name: str, wanted: Any, default: str = "value") -> tuple[str, Any, Mapping[str, Any]]:
    """Return the field, the value and the options of a query such as ``{field: value}``."""
    if not wanted:
        raise illegal("field name is null or empty")
    (field, value), *more = wanted.items()
    if more:
        raise parsing(f"[{name}] query doesn't support multiple fields, found [{field}] and [{more[0][0]}]")
    if isinstance(value, Mapping):
        return field, value.get(default), value
    return field, value, {}


def term(wanted: Any, scope: Scope) -> Scorer:
    """Match a value: a word of a text, or any other value as a whole."""
    name, value, options = one_field("term", wanted)
    if isinstance(value, list):
        raise parsing("[term] query does not support array of values")
    return matching(scope, name, [value], float(options.get("boost", 1.0)), folds=bool(options.get("case_insensitive")))


def terms(wanted: Any, scope: Scope) -> Scorer:
    """Match any of several values."""
    name, given = next((field, value) for field, value in wanted.items() if field not in {"boost", "_name"})
    if not isinstance(given, list):
        raise parsing(f"[terms] query does not support [{name}]")
    inner = matching(scope, name, given)
    score = float(wanted.get("boost", 1.0))
    return lambda row: None if inner(row) is None else score


def matching(scope: Scope, name: str, wanted: Sequence[Any], boost: float = 1.0, *, folds: bool = False) -> Scorer:
    """Return a scorer of the rows that have one of the values."""
    if name == "_id":
        ids_wanted = set(map(str, wanted))
        return lambda row: boost if row.id in ids_wanted else None
    field = scope.field(name)
    if field is None:
        return no_row
    if field.type in NO_QUERIES:
        raise scope.refuse("illegal_argument_exception", f"Queries on [{field.type}] fields are not supported")
    _check_searchable(scope, field, name)
    if field.type == "text":
        return words(scope, field, list(map(str, wanted)), boost)
    if field.type == "boolean":
        return _scored_as_text(scope, field, wanted, boost)
    return _equal(scope, field, wanted, boost, folds=folds)


def _check_searchable(scope: Scope, field: Field, name: str) -> None:
    """Raise Refused for a field that the index has only in the source."""
    if field.spec.get("index") is False and field.spec.get("doc_values") is False:
        raise scope.refuse("illegal_argument_exception", UNSEARCHABLE.format(name=name))


def words(scope: Scope, field: Field, wanted: Sequence[str], boost: float = 1.0, needed: int = 1) -> Scorer:
    """Return a scorer of the rows whose text has at least some of the words."""
    texts = scope.texts(field.path)

    def score(row: Row) -> float | None:
        found = [score for word in wanted if (score := texts.score(word, row.id)) is not None]
        return boost * sum(found) if len(found) >= max(needed, 1) else None

    return score


def _scored_as_text(scope: Scope, field: Field, wanted: Sequence[Any], boost: float) -> Scorer:
    """Return a scorer of truth values, which the server indexes as words of texts of one word."""
    words_wanted = [comparable(scope, field, value) for value in wanted]
    return words(scope, field, words_wanted, boost)


def _equal(scope: Scope, field: Field, wanted: Sequence[Any], boost: float, *, folds: bool) -> Scorer:
    bounds = [comparable(scope, field, value) for value in wanted]

    def score(row: Row) -> float | None:
        own = [comparable(scope, field, value) for value in row.values(field.path)]
        return boost if any(_same(one, bound, folds=folds) for one in own for bound in bounds) else None

    return score


def _same(one: Any, other: Any, *, folds: bool) -> bool:
    if folds or isinstance(one, bool) or isinstance(other, bool):
        return str(one).lower() == str(other).lower()
    return bool(one == other or str(one) == str(other))


def ids(wanted: Any, _: Scope) -> Scorer:
    """Match documents by their ids."""
    for name in wanted:
        if name not in {"values", "boost", "_name"}:
            reason = f"[1:1] [ids] unknown field [{name}]{suggestion(name, ['values', 'boost', '_name'])}"
            raise refused(400, "parsing_exception", reason, cause("x_content_parse_exception", reason), line=1, col=1)
    keys, score = set(map(str, wanted["values"])), float(wanted.get("boost", 1.0))
    return lambda row: score if row.id in keys else None


def exists(wanted: Any, scope: Scope) -> Scorer:
    """Match documents that have any value of a field, or of one below it."""
    if (field := scope.field(wanted["field"])) is None:
        return no_row
    if field.spec.get("index") is False and field.spec.get("doc_values") is False:
        return no_row
    return lambda row: 1.0 if row.values(field.path) else None


def within(wanted: Any, scope: Scope) -> Scorer:
    """Match values between bounds."""
    name, _, bounds = one_field("range", wanted)
    for option in bounds:
        if option not in RANGE_OPTIONS:
            raise parsing(f"[range] query does not support [{option}]")
    if (field := scope.field(name)) is None:
        return no_row
    if field.type in NO_RANGES:
        words = f"Field [{name}] of type [{field.type}] does not support range queries"
        raise scope.refuse("illegal_argument_exception", words)
    _check_searchable(scope, field, name)
    limits = [(BOUNDS[key], comparable(scope, field, bound)) for key, bound in bounds.items() if key in BOUNDS]
    score = float(bounds.get("boost", 1.0))

    def scored(row: Row) -> float | None:
        own = [comparable(scope, field, value) for value in row.values(field.path)]
        return score if any(all(test(one, bound) for test, bound in limits) for one in own) else None

    return scored


def prefix(wanted: Any, scope: Scope) -> Scorer:
    """Match values that begin so."""
    name, value, options = one_field("prefix", wanted)
    return _any(scope, name, options, lambda one: one.startswith(str(value)))


def wildcard(wanted: Any, scope: Scope) -> Scorer:
    """Match values by a pattern with ``*`` and ``?``."""
    name, value, options = one_field("wildcard", wanted)
    pattern = str(options.get("wildcard") if value is None else value).replace("[", "[[]")
    return _any(scope, name, options, lambda one: fnmatch.fnmatchcase(one, pattern))


def _any(scope: Scope, name: str, options: Mapping[str, Any], test: Callable[[str], bool]) -> Scorer:
    field, score = scope.field(name), float(options.get("boost", 1.0))
    if field is None:
        return no_row
    if field.type == "text":
        texts = scope.texts(field.path)
        return lambda row: score if any(map(test, texts.words.get(row.id, ()))) else None
    return lambda row: score if any(test(str(value)) for value in row.values(field.path)) else None
