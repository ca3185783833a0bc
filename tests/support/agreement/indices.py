"""Comparison of what indices answer, beyond its shape: the result of each write; the hits, their order and scores."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

TOLERANCE = 1e-5
EXACT = ("_id", "_version", "result", "status", "_seq_no", "forced_refresh", "found", "count")
Words = Callable[[str], str]


def index_differences(recorded: Any, got: Any, words: Words, *, hits: bool = True, total: bool = True) -> Iterator[str]:
    """Return where the answer of an index differs from the recorded one; ``words`` leaves out what may differ.

    Without ``hits`` only the number of these is compared, not which they are; without ``total`` that of a page only.
    """
    if not isinstance(recorded, Mapping) or not isinstance(got, Mapping):
        return
    yield from _results("$", recorded, got)
    items = zip(_by_id(recorded.get("items", [])), _by_id(got.get("items", [])), strict=False)
    for number, (was, now) in enumerate(items):
        yield from _items(f"item {number}", was, now, words)
    if "hits" in recorded and "hits" in got:
        was, now = recorded["hits"], got["hits"]
        yield from _hits(was, now) if hits else _counts(was, now, total=total)


def _by_id(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return items with those that failed in the order of their ids: pipelines tell these as they happen to fail."""
    failed = [number for number, item in enumerate(items) if "error" in next(iter(item.values()))]
    ordered = sorted((items[number] for number in failed), key=lambda item: str(next(iter(item.values())).get("_id")))
    places = dict(zip(failed, ordered, strict=True))
    return [places.get(number, item) for number, item in enumerate(items)]


def _items(where: str, was: Mapping[str, Any], now: Mapping[str, Any], words: Words) -> Iterator[str]:
    if was.keys() != now.keys():
        yield f"{where} is {list(now)}, recorded is {list(was)}"
        return
    ((action, before),) = was.items()
    after = now[action]
    yield from _results(where, before, after)
    errors = [one.get("error", {}) for one in (before, after)]
    first, second = ((error.get("type"), words(error.get("reason", ""))) for error in errors)
    if first != second:
        yield f"{where} fails with {second}, recorded is {first}"


def _results(where: str, was: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    for key in EXACT:
        # An id that the server made is known by its length.
        made = key == "_id" and len(str(was.get(key))) == len(str(now.get(key))) == len("q5q8GaIBsuBkri4e_ZNR")
        if was.get(key) != now.get(key) and not made:
            yield f"{where}: {key} is {now.get(key)}, recorded is {was.get(key)}"


def _counts(was: Mapping[str, Any], now: Mapping[str, Any], *, total: bool) -> Iterator[str]:
    before, after = ((hits.get("total") if total else "", len(hits["hits"])) for hits in (was, now))
    if before != after:
        yield f"total and number of hits are {after}, recorded are {before}"
    scores = [hit["_score"] for hit in now["hits"]]
    if scores != sorted(scores, reverse=True) or (scores and now["max_score"] != scores[0]):
        yield f"scores are {scores} with {now['max_score']} as the best"


def _hits(was: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    if was.get("total") != now.get("total"):
        yield f"total is {now.get('total')}, recorded is {was.get('total')}"
    before, after = was["hits"], now["hits"]
    if [hit["_id"] for hit in before] != [hit["_id"] for hit in after]:
        yield f"hits are {[hit['_id'] for hit in after]}, recorded are {[hit['_id'] for hit in before]}"
        return
    for first, second in zip(before, after, strict=True):
        if not _is_near(first["_score"], second["_score"]):
            yield f"score of {first['_id']} is {second['_score']}, recorded is {first['_score']}"
        for key in ("sort", "_source"):
            if not _is_like(first.get(key), second.get(key)):
                yield f"{key} of {first['_id']} is {second.get(key)}, recorded is {first.get(key)}"


def _is_like(one: Any, other: Any) -> bool:
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(_is_like(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_is_like, one, other))
    return _is_near(one, other)


def _is_near(one: Any, other: Any) -> bool:
    if isinstance(one, int | float) and isinstance(other, int | float):
        return math.isclose(one, other, rel_tol=TOLERANCE)
    return bool(one == other)
