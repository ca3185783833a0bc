"""Hybrid queries: several queries side by side, whose scores a processor of the search pipeline makes one of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiomlcommons.emulator.errors import Refused, illegal
from aiomlcommons.emulator.pipelines.searches import Between
from aiomlcommons.emulator.querying.errors import WINDOW, cause, not_emulated, parsing, phase_failed
from aiomlcommons.emulator.querying.paging import Page, amount, matching
from aiomlcommons.emulator.querying.scope import Scope
from aiomlcommons.emulator.querying.sorting import Found, in_order

MOST_QUERIES = 5
OPTIONS = {"queries", "filter", "pagination_depth", "_name"}
NO_DEPTH = "pagination_depth param is missing in the search request"
NEGATIVE = "pagination_depth should be greater than 0"
TOO_DEEP = "pagination_depth should be less than or equal to index.max_result_window setting"
NO_QUERIES = "[hybrid] requires 'queries' field with at least one clause"
TOO_MANY = "Number of sub-queries exceeds maximum supported by [hybrid] query"
UNKNOWN = "Field is not supported by [hybrid] query"
NO_OBJECT = "[_na] query malformed, must start with start_object"
TOO_FAR = "Reached end of search result, increase pagination_depth value to see more results"
# What stands before and after all hits, and before those of each query, where no processor takes it out.
ENDS, BETWEEN = -9_549_511_920.4881596047, -4_422_440_593.9791198149


def is_hybrid(body: Mapping[str, Any]) -> bool:
    """Return whether a search asks a hybrid query."""
    query = body.get("query")
    return isinstance(query, Mapping) and "hybrid" in query


def unwrapped(query: Any) -> Any:
    """Return a hybrid query without a ``bool`` that has nothing else in it, which the server sees through."""
    if isinstance(query, Mapping) and query.keys() == {"bool"}:
        inner = query["bool"]
        if isinstance(inner, Mapping) and inner.keys() == {"must"}:
            must = inner["must"] if isinstance(inner["must"], list) else [inner["must"]]
            if len(must) == 1 and isinstance(must[0], Mapping) and "hybrid" in must[0]:
                return must[0]
    return query


def listed(query: Any) -> Any:
    """Return a hybrid query with a list of queries where it has a single one without a list."""
    wanted = query["hybrid"]
    if isinstance(wanted, Mapping) and isinstance(wanted.get("queries"), Mapping) and wanted["queries"]:
        return {"hybrid": {**wanted, "queries": [wanted["queries"]]}}
    return query


def any_of(query: Any) -> Any:
    """Return a query that matches what a hybrid one does: a count asks no more."""
    if not is_hybrid({"query": query}):
        return query
    asked = {"query": listed(query)}
    checked(asked)
    return {"bool": {"should": filtered(asked["query"])["hybrid"]["queries"]}}


def checked(body: Mapping[str, Any]) -> None:
    """Raise Refused for a hybrid query that the server refuses, whatever the index."""
    wanted = body["query"]["hybrid"]
    if not isinstance(wanted, Mapping):
        raise parsing("[hybrid] query malformed, no start_object after query name")
    if "boost" in wanted:
        raise parsing("[hybrid] query does not support [boost]")
    if "queries" not in wanted:
        raise parsing(NO_QUERIES)
    if not wanted["queries"]:
        raise parsing(NO_OBJECT)
    if not isinstance(wanted["queries"], list) or any(option not in OPTIONS for option in wanted):
        raise parsing(UNKNOWN)
    if len(wanted["queries"]) > MOST_QUERIES:
        raise parsing(TOO_MANY)
    if not isinstance(wanted.get("filter", {}), Mapping):
        raise parsing("[hybrid] query's [filter] field must be a query object")
    for name in ("sort", "search_after", "rescore"):
        if body.get(name):
            raise not_emulated(f"[{name}] of a hybrid query")


def filtered(query: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a hybrid query with its filter in each of its queries."""
    wanted = query["hybrid"]
    if "filter" not in wanted:
        return query
    queries = [_with(one, wanted["filter"]) for one in wanted["queries"]]
    return {"hybrid": {**{name: value for name, value in wanted.items() if name != "filter"}, "queries": queries}}


def with_filter(query: Any, own: Any) -> Any:
    """Return a query with a filter, which each query of a hybrid one has."""
    if isinstance(query, Mapping) and "hybrid" in query:
        return {"hybrid": {**query["hybrid"], "queries": [_with(one, own) for one in query["hybrid"]["queries"]]}}
    return {"bool": {"must": [query], "filter": [own]}}


def _with(query: Any, own: Any) -> Any:
    """Return a query with a filter; one of vectors looks for the nearest among those that the filter takes."""
    ((name, wanted),) = query.items()
    if name not in {"knn", "neural"}:
        return {"bool": {"must": [query], "filter": [own]}}
    ((field, options),) = wanted.items()
    both = {"bool": {"filter": [options["filter"], own]}} if "filter" in options else own
    return {name: {field: {**options, "filter": both}}}


def page(scopes: Sequence[Scope], body: Mapping[str, Any], combine: Between | None) -> Page:
    """Return a page of the hits of a hybrid query. Raises Refused."""
    start, size = amount(body, "from", 0), amount(body, "size", 10)
    depth = int(body["query"]["hybrid"].get("pagination_depth", start + size))
    for scope in scopes:
        _check_depth(scope, start, body["query"]["hybrid"].get("pagination_depth"))
    every: dict[tuple[str, str], Found] = {}
    kept: list[list[Found]] = []
    for scope in scopes:
        # Each index keeps the best hits of each query, and only these are compared.
        for number, query in enumerate(scope.body["query"]["hybrid"]["queries"]):
            # A hit without a score, such as one of a filter, is none.
            hits = in_order([one for one in matching(scope, query) if one.score > 0], [])
            every |= {_key(one): one for one in hits}
            if number == len(kept):
                kept.append([])
            kept[number] += hits[:depth]
    kept = [in_order(hits, []) for hits in kept]
    if not size:
        best = max((one.score for one in every.values()), default=0.0)
        return Page([], len(every), best, [])
    if combine is None:
        return _raw(kept, len(every), size)
    try:
        scores = combine([[(_key(one), one.score) for one in hits] for hits in kept])
    except Refused as error:
        raise phase_failed(_why(error)) from None
    least = float(body.get("min_score", 0))
    found = [Found(every[key].row, score, every[key].place) for key, score in scores.items() if score >= least]
    ordered = in_order(_as_hashed(found), [])
    if start and start > len(ordered):
        raise phase_failed(_why(illegal(TOO_FAR)))
    total = len(ordered) if "min_score" in body else len(every)
    return Page(ordered[start : start + size], total, ordered[0].score if ordered else 0.0, [])


def _check_depth(scope: Scope, start: int, depth: Any) -> None:
    """Raise Refused for a page further down without a depth, or a depth that is none."""
    if depth is None:
        if start:
            raise scope.fail(cause("illegal_argument_exception", NO_DEPTH))
        return
    if int(depth) == 0:
        raise scope.refuse("illegal_argument_exception", "pagination_depth must not be zero")
    if int(depth) < 0:
        raise scope.refuse("illegal_argument_exception", NEGATIVE)
    if int(depth) > WINDOW:
        raise scope.refuse("illegal_argument_exception", TOO_DEEP)


def _why(error: Refused) -> Mapping[str, Any]:
    return {name: error.body["error"][name] for name in ("type", "reason")}


def _as_hashed(found: Sequence[Found]) -> list[Found]:
    """Return hits as in the server's hash table of each index, which is the order that equal scores leave them in.

    Keys are places; within a bucket the last key that came is the first.
    """
    ordered = []
    for index in sorted({one.row.index for one in found}):
        own = [one for one in reversed(found) if one.row.index == index]
        buckets = 16
        while len(own) > buckets * 3 // 4:
            buckets *= 2
        ordered += sorted(own, key=lambda one, mask=buckets - 1: one.place & mask)  # type: ignore[misc]
    return ordered


def _key(one: Found) -> tuple[str, str]:
    return one.row.index, one.row.id


def _raw(kept: Sequence[Sequence[Found]], total: int, size: int) -> Page:
    """Return the hits of all queries one after the other, with the marks between them that nobody has taken out."""
    first = next((hits[0] for hits in kept if hits), None)
    if first is None:
        return Page([], 0, 0.0, [])
    marked = [Found(first.row, ENDS, first.place)]
    for hits in kept:
        marked += [Found(first.row, BETWEEN, first.place), *hits]
    marked.append(Found(first.row, ENDS, first.place))
    return Page(marked[:size], total, max(one.score for hits in kept for one in hits), [])
