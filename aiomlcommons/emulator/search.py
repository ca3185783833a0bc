"""A subset of the query DSL, enough to look up models, groups, tasks, connectors and other records."""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import orjson

from aiomlcommons.api.common import Found, Hit, Hits, Shards, Total
from aiomlcommons.emulator import legacy
from aiomlcommons.emulator.cluster import Document, Index
from aiomlcommons.emulator.errors import RESULT_WINDOW, Refused, illegal, no_index, refused
from aiomlcommons.wire import convert

T = TypeVar("T")
WINDOW = 10_000
NEVER_SHOWN = ("model_content", "content", "ui_metadata")

Source = Mapping[str, Any]
Test = Callable[[Any, Source, str, Mapping[str, Any]], bool]
Row = tuple[Document[Any], dict[str, Any]]


def search(index: Index[T], body: Mapping[str, Any], node_id: str) -> Hits[T]:
    """Return the documents that match a search body, as a page of hits.

    Raises Refused for an unknown query and for a page beyond 10,000 hits.
    """
    start, size = int(body.get("from", 0)), int(body.get("size", 10))
    if start + size > WINDOW:
        raise _too_large(index.name, start + size, node_id)
    if index.is_old and not index.existed:
        raise no_index(index.name)
    query = body.get("query") or {"match_all": {}}
    rows = [(document, _source(index, document)) for document in index.seen().values()]
    found = [(document, source) for document, source in rows if matches(query, source, document.id, body)]
    keys = _sort_keys(body.get("sort"))
    for key, order in reversed(keys):
        found.sort(key=lambda row, key=key: _rank(_sort_value(row, key)), reverse=order == "desc")  # type: ignore[misc]
    score = None if keys else _score(query)
    page = _following(found, keys, body.get("search_after"))[start : start + size]
    return Hits(
        took=1,
        timed_out=False,
        shards=Shards(total=int(index.existed), successful=int(index.existed), skipped=0, failed=0),
        hits=Found(
            total=Total(value=len(found), relation="eq"),
            max_score=score if found or keys else (0.0 if not index.existed else None),
            hits=[_hit(index, row, score, keys, body.get("_source")) for row in page],
        ),
    )


def _source(index: Index[Any], document: Document[Any]) -> dict[str, Any]:
    source = {key: value for key, value in convert.unstructure(document.source).items() if key not in NEVER_SHOWN}
    return legacy.record(source) if index.is_old else source


def _hit(
    index: Index[T],
    row: tuple[Document[T], dict[str, Any]],
    score: float | None,
    keys: Sequence[tuple[str, str]],
    wanted: Any,
) -> Hit[T]:
    document, source = row
    shown: Any = _filtered(source, wanted)
    return Hit(
        index=index.name,
        id=document.id,
        score=score,
        source=None if wanted is False else shown,
        version=document.version,
        seq_no=document.seq_no,
        primary_term=1,
        sort=[_sort_value(row, key) for key, _ in keys] or None,
    )


def _filtered(source: dict[str, Any], wanted: Any) -> dict[str, Any]:
    if isinstance(wanted, str):
        wanted = [wanted]
    if isinstance(wanted, Sequence):
        wanted = {"includes": wanted}
    if not isinstance(wanted, Mapping):
        return source
    includes, excludes = wanted.get("includes") or ["*"], wanted.get("excludes") or []
    return {key: value for key, value in source.items() if _named(key, includes) and not _named(key, excludes)}


def _named(key: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(key, pattern.partition(".")[0]) for pattern in patterns)


# ---- queries -------------------------------------------------------------------------------------------------------


def matches(query: Any, source: Source, key: str, body: Mapping[str, Any]) -> bool:
    """Return whether a document matches a query; raise Refused for an unknown one."""
    if not isinstance(query, Mapping) or len(query) != 1:
        raise illegal("query malformed, empty clause found")
    ((name, wanted),) = query.items()
    if name not in _QUERIES:
        raise _unknown(name, body)
    return _QUERIES[name](wanted, source, key, body)


def _bool(wanted: Any, source: Source, key: str, body: Mapping[str, Any]) -> bool:
    def each(kind: str) -> list[bool]:
        clauses = wanted.get(kind, [])
        clauses = [clauses] if isinstance(clauses, Mapping) else clauses
        return [matches(clause, source, key, body) for clause in clauses]

    must, never, should = each("must") + each("filter"), each("must_not"), each("should")
    needed = int(wanted.get("minimum_should_match", 0 if must or not should else 1))
    return all(must) and not any(never) and sum(should) >= needed


def _term(wanted: Any, source: Source, key: str, _: Mapping[str, Any]) -> bool:
    ((field, value),) = wanted.items()
    return _among(source, key, field, [value.get("value") if isinstance(value, Mapping) else value])


def _terms(wanted: Any, source: Source, key: str, _: Mapping[str, Any]) -> bool:
    field, values = next((name, value) for name, value in wanted.items() if name != "boost")
    return _among(source, key, field, values)


def _among(source: Source, key: str, field: str, values: Sequence[Any]) -> bool:
    found = _value(source, key, field)
    parts = found if isinstance(found, list) else [found]
    return any(_same(part, value) for part in parts for value in values if part is not None)


def _same(part: Any, value: Any) -> bool:
    if isinstance(part, bool) or isinstance(value, bool):
        return str(part).lower() == str(value).lower()
    return bool(part == value or str(part) == str(value))


def _match(wanted: Any, source: Source, key: str, _: Mapping[str, Any]) -> bool:
    ((field, value),) = wanted.items()
    text = value.get("query") if isinstance(value, Mapping) else value
    found = str(_value(source, key, field) or "").lower().split()
    return any(word in found for word in str(text).lower().split())


def _phrase_prefix(wanted: Any, source: Source, key: str, _: Mapping[str, Any]) -> bool:
    ((field, value),) = wanted.items()
    text = value.get("query") if isinstance(value, Mapping) else value
    return f" {str(text).lower()}" in f" {str(_value(source, key, field) or '').lower()}"


def _wildcard(wanted: Any, source: Source, key: str, _: Mapping[str, Any]) -> bool:
    ((field, value),) = wanted.items()
    pattern = (value.get("value") or value.get("wildcard")) if isinstance(value, Mapping) else value
    return fnmatch.fnmatchcase(str(_value(source, key, field) or ""), str(pattern))


def _prefix(wanted: Any, source: Source, key: str, _: Mapping[str, Any]) -> bool:
    ((field, value),) = wanted.items()
    start = value.get("value") if isinstance(value, Mapping) else value
    return str(_value(source, key, field) or "").startswith(str(start))


_BOUNDS: Mapping[str, Callable[[Any, Any], bool]] = {
    "gt": lambda found, bound: found > bound,
    "gte": lambda found, bound: found >= bound,
    "lt": lambda found, bound: found < bound,
    "lte": lambda found, bound: found <= bound,
}


def _range(wanted: Any, source: Source, key: str, _: Mapping[str, Any]) -> bool:
    ((field, bounds),) = wanted.items()
    found = _value(source, key, field)
    return found is not None and all(_BOUNDS[name](found, bound) for name, bound in bounds.items() if name in _BOUNDS)


_QUERIES: Mapping[str, Test] = {
    "match_all": lambda *_: True,
    "match_none": lambda *_: False,
    "bool": _bool,
    "term": _term,
    "terms": _terms,
    "match": _match,
    "match_phrase": _match,
    "match_phrase_prefix": _phrase_prefix,
    "wildcard": _wildcard,
    "prefix": _prefix,
    "range": _range,
    "ids": lambda wanted, _source, key, _body: key in wanted["values"],
    "exists": lambda wanted, source, key, _: _value(source, key, wanted["field"]) is not None,
}


def _value(source: Source, key: str, field: str) -> Any:
    if field == "_id":
        return key
    found: Any = source
    for part in field.removesuffix(".keyword").split("."):
        found = found.get(part) if isinstance(found, Mapping) else None
    return found


def _sort_value(row: Row, key: str) -> Any:
    document, source = row
    return document.seq_no if key == "_seq_no" else _value(source, document.id, key)


def _sort_keys(sort: Any) -> list[tuple[str, str]]:
    rows = [sort] if isinstance(sort, str | Mapping) else sort or []
    return [_sort_key(row) for row in rows]


def _sort_key(row: Any) -> tuple[str, str]:
    if isinstance(row, str):
        return row, "asc"
    ((field, order),) = row.items()
    return field, str(order.get("order", "asc") if isinstance(order, Mapping) else order)


def _following(found: list[Row], keys: list[tuple[str, str]], after: Sequence[Any] | None) -> list[Row]:
    """Return the rows after the sort values that the previous page ended with (``search_after``)."""
    if after is None:
        return found
    return [row for row in found if _is_after(row, keys, after)]


def _is_after(row: Row, keys: list[tuple[str, str]], after: Sequence[Any]) -> bool:
    for (key, order), bound in zip(keys, after, strict=True):
        own, other = _rank(_sort_value(row, key)), _rank(bound)
        if own != other:
            return own < other if order == "desc" else own > other
    return False


def _rank(value: Any) -> tuple[int, Any]:
    # A missing value sorts last, as on the server in ascending order.
    return (1, math.inf) if value is None else (0, value)


def _score(query: Mapping[str, Any]) -> float:
    wanted = query.get("bool")
    return 0.0 if wanted is not None and not ({"must", "should"} & wanted.keys()) else 1.0


def _unknown(name: str, body: Mapping[str, Any]) -> Refused:
    text = orjson.dumps(body)
    token = orjson.dumps(name) + b":"
    column = text.find(token) + len(token) + 1
    why = {"type": "named_object_not_found_exception", "reason": f"[1:{column}] unknown field [{name}]"}
    return refused(400, "parsing_exception", f"unknown query [{name}]", why, line=1, col=column)


def _too_large(index: str, size: int, node_id: str) -> Refused:
    cause = {"type": "illegal_argument_exception", "reason": RESULT_WINDOW.format(size=size)}
    error = {
        "root_cause": [cause],
        "type": "search_phase_execution_exception",
        "reason": "all shards failed",
        "phase": "query",
        "grouped": True,
        "failed_shards": [{"shard": 0, "index": index, "node": node_id, "reason": cause}],
        "caused_by": {**cause, "caused_by": cause},
    }
    return Refused(400, {"error": error, "status": 400})
