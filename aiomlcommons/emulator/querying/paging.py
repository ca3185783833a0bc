"""A page of a search: the hits that match, in order, from a place on."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import attrs

from aiomlcommons.emulator.errors import illegal, refused
from aiomlcommons.emulator.querying.errors import WINDOW, too_large
from aiomlcommons.emulator.querying.queries import compiled
from aiomlcommons.emulator.querying.rescoring import rescored
from aiomlcommons.emulator.querying.scope import Scope, values
from aiomlcommons.emulator.querying.sorting import Found, Key, following, in_order, sort_keys


@attrs.frozen
class Page:
    """The hits of a page, how many match in all, the best score, and the keys that they are sorted by."""

    hits: Sequence[Found]
    total: int
    best: float | None
    keys: Sequence[Key]

    @property
    def is_scored(self) -> bool:
        """Whether hits have scores: those that are sorted by something else have none."""
        return not self.keys or any(key.name == "_score" for key in self.keys)


def page(scope: Scope) -> Page:
    """Return the page that the body of a scope asks for. Raises Refused."""
    body = scope.body
    start, size = (amount(body, name, default) for name, default in (("from", 0), ("size", 10)))
    if start + size > WINDOW:
        raise too_large(scope.index, start + size, scope.node_id)
    keys = sort_keys(scope, body.get("sort"))
    found = matching(scope, body.get("query"), float(body.get("min_score", 0)))
    ranked = rescored(scope, in_order(found, keys), keys)
    ordered = following(scope, ranked, keys, body.get("search_after"), start)
    # Without a page there is nothing to score.
    best = max((one.score for one in ranked), default=None) if size else None
    return Page(ordered[start : start + size], len(found), best, keys)


def matching(scope: Scope, query: Any, least: float = 0) -> list[Found]:
    """Return the rows that match a query; None matches all. Raises Refused."""
    score_of = compiled({"match_all": {}} if query is None else query, scope)
    scored = ((row, score_of(row), place) for row, place in zip(scope.rows, _places(scope), strict=True))
    return [Found(row, score, place) for row, score, place in scored if score is not None and score >= least]


def _places(scope: Scope) -> Iterable[int]:
    """Return the places of documents in an index. Nested objects stand before theirs."""
    if not (paths := scope.nested_paths):
        return range(len(scope.rows))
    sizes = (1 + sum(len(values(row.source, path)) for path in paths) for row in scope.rows)
    return (end - 1 for end in itertools.accumulate(sizes))


def amount(body: Any, name: str, default: int) -> int:
    """Return how many hits are wanted, or passed over. Raises Refused for what is no such number."""
    given = body.get(name, default)
    try:
        amount = int(given)
    except ValueError:
        raise refused(400, "number_format_exception", f'For input string: "{given}"') from None
    if amount < 0:
        raise illegal(f"[{name}] parameter cannot be negative, found [{amount}]")
    return amount
