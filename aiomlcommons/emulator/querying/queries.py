"""The query DSL: a query becomes a function that scores a row."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from aiomlcommons.emulator.querying import _fields, _nested, _texts, _vectors, _weights
from aiomlcommons.emulator.querying.errors import (
    cause,
    malformed,
    not_emulated,
    parsing,
    suggestion,
    unknown_query,
    unreadable,
)
from aiomlcommons.emulator.querying.scope import Row, Scope, Scorer, no_row

CLAUSES = ("must", "filter", "must_not", "should")
# In the order and with the spellings of the server, which suggests them.
OPTIONS = (*CLAUSES, "mustNot", "minimum_should_match", "boost", "adjust_pure_negative", "_name")
WRAPPED = (
    "hybrid query must be a top level query and cannot be wrapped into other queries. To use scoring wrapper queries "
    "(function_score, script_score, etc.) with hybrid sub-queries, replace the hybrid clause with a bool query using "
    "should clauses containing the same sub-queries"
)
# The server knows these, too.
OTHERS = re.findall(
    r"\w+",
    """
    boosting common dis_max distance_feature function_score fuzzy geo_bounding_box geo_distance geo_polygon geo_shape
    has_child has_parent intervals match_bool_prefix more_like_this parent_id percolate pinned
    query_string regexp script script_score simple_query_string span_containing span_first span_multi span_near
    span_not span_or span_term span_within template terms_set wrapper
    """,
)


def compiled(query: Any, scope: Scope) -> Scorer:
    """Return the scorer of a query. Raises Refused for a query that the server refuses or the emulator lacks."""
    if not isinstance(query, Mapping) or not query:
        raise malformed()
    (name, wanted), *more = query.items()
    if more:
        raise parsing(f"[{name}] malformed query, expected [END_OBJECT] but found [FIELD_NAME]")
    if not isinstance(wanted, Mapping):
        raise parsing(f"[{name}] query malformed, no start_object after query name")
    if name in OTHERS:
        raise not_emulated(f"query [{name}]")
    if name not in QUERIES:
        raise unknown_query(name, [*QUERIES, *OTHERS], scope.body)
    return QUERIES[name](wanted, scope)


def _match_all(wanted: Any, _: Scope) -> Scorer:
    score = float(wanted.get("boost", 1.0))
    return lambda _: score


def _match_none(_wanted: Any, _scope: Scope) -> Scorer:
    return no_row


def _bool(wanted: Any, scope: Scope) -> Scorer:
    if unknown := [name for name in wanted if name not in OPTIONS]:
        raise unreadable(f"[bool] unknown field [{unknown[0]}]{suggestion(unknown[0], OPTIONS)}")
    must, filters, never, should = (_clauses(wanted, name, scope) for name in CLAUSES)
    if not (must or filters or never or should):
        return _match_all(wanted, scope)
    needed = _needed(wanted.get("minimum_should_match", 0 if must or filters or not should else 1), len(should))
    boost = float(wanted.get("boost", 1.0))

    def score(row: Row) -> float | None:
        if any(one(row) is None for one in filters) or any(one(row) is not None for one in never):
            return None
        needs, likes = [one(row) for one in must], [found for one in should if (found := one(row)) is not None]
        scores = [found for found in needs if found is not None]
        return None if len(scores) < len(needs) or len(likes) < needed else boost * (sum(scores) + sum(likes))

    return score


def _clauses(wanted: Any, name: str, scope: Scope) -> list[Scorer]:
    clauses = wanted.get(name) or []
    return [compiled(one, scope) for one in ([clauses] if isinstance(clauses, Mapping) else clauses)]


def _needed(minimum: Any, clauses: int) -> int:
    """Return how many clauses must match: a number, one from the end where it is negative, or a share."""
    text = str(minimum)
    number = int(clauses * int(text[:-1]) / 100) if text.endswith("%") else int(text)
    return number if number >= 0 else max(0, clauses + number)


def _constant_score(wanted: Any, scope: Scope) -> Scorer:
    inner, score = compiled(wanted["filter"], scope), float(wanted.get("boost", 1.0))
    return lambda row: None if inner(row) is None else score


def _knn(wanted: Any, scope: Scope) -> Scorer:
    return _vectors.knn(wanted, scope, compiled)


def _nested_query(wanted: Any, scope: Scope) -> Scorer:
    return _nested.nested(wanted, scope, compiled)


def _hybrid(_wanted: Any, scope: Scope) -> Scorer:
    raise scope.fail(cause("illegal_argument_exception", WRAPPED))


def _unasked(_wanted: Any, _scope: Scope) -> Scorer:
    """Refuse a query of a text that nobody has asked a model about: only searches of users' indices do."""
    raise not_emulated("query [neural] in this place")


QUERIES: Mapping[str, Callable[[Any, Scope], Scorer]] = {
    "match_all": _match_all,
    "match_none": _match_none,
    "bool": _bool,
    "constant_score": _constant_score,
    "term": _fields.term,
    "terms": _fields.terms,
    "ids": _fields.ids,
    "exists": _fields.exists,
    "range": _fields.within,
    "prefix": _fields.prefix,
    "wildcard": _fields.wildcard,
    "match": _texts.match,
    "multi_match": _texts.multi_match,
    "match_phrase": _texts.match_phrase,
    "match_phrase_prefix": _texts.match_phrase_prefix,
    "knn": _knn,
    "rank_feature": _weights.rank_feature,
    "neural_sparse": _weights.neural_sparse,
    "nested": _nested_query,
    "hybrid": _hybrid,
    "neural": _unasked,
}
