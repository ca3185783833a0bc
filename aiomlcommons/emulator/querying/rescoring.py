"""``rescore``: the best hits are scored by a second query as well."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from aiomlcommons.emulator.errors import illegal
from aiomlcommons.emulator.querying.errors import cause
from aiomlcommons.emulator.querying.queries import compiled
from aiomlcommons.emulator.querying.scope import Scope
from aiomlcommons.emulator.querying.sorting import Found, Key

MODES: Mapping[str, Callable[[float, float], float]] = {
    "total": lambda first, second: first + second,
    "multiply": lambda first, second: first * second,
    "avg": lambda first, second: (first + second) / 2,
    "max": max,
    "min": min,
}
SORTED = "Cannot use [sort] option in conjunction with [rescore]."


def rescored(scope: Scope, found: list[Found], keys: Sequence[Key]) -> list[Found]:
    """Return hits in the order that the ``rescore`` of the body makes. Raises Refused."""
    given = scope.body.get("rescore") or []
    for one in given if isinstance(given, list) else [given]:
        if keys:
            raise scope.fail(cause("illegal_argument_exception", SORTED))
        found = _rescored(scope, found, one)
    return found


def _rescored(scope: Scope, found: list[Found], given: Mapping[str, Any]) -> list[Found]:
    size, query = int(given.get("window_size", 10)), given["query"]
    first, second = float(query.get("query_weight", 1)), float(query.get("rescore_query_weight", 1))
    if (mode := str(query.get("score_mode", "total"))) not in MODES:
        raise illegal(f"illegal score_mode [{mode}]")
    score_of = compiled(query["rescore_query"], scope)

    def scored(one: Found) -> Found:
        more, own = score_of(one.row), first * one.score
        return Found(one.row, own if more is None else MODES[mode](own, second * more), one.place)

    # Those beyond the window are weighed as well, but not asked about.
    rest = [Found(one.row, first * one.score, one.place) for one in found[size:]]
    return sorted([*map(scored, found[:size]), *rest], key=lambda one: -one.score)
