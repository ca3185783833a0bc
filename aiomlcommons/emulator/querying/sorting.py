"""The order of hits, and pages after a hit (``search_after``)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from aiomlcommons.emulator.errors import illegal
from aiomlcommons.emulator.querying._fielddata import problem_of
from aiomlcommons.emulator.querying.errors import cause
from aiomlcommons.emulator.querying.scope import Field, Row, Scope, values
from aiomlcommons.emulator.querying.types import FRACTIONS, WHOLE, milliseconds

PLACES = {"_doc", "_shard_doc"}
ORDERS = {"asc", "desc"}
NOT_BOTH = "`from` parameter must be set to 0 when `search_after` is used."


@attrs.frozen
class Found:
    """A row that matches, its score, and its place in the index."""

    row: Row
    score: float
    place: int


@attrs.frozen
class Key:
    """A sort key: a field or one of ``_score``, ``_id``, ``_index``, ``_doc``, ``_shard_doc`` and ``_seq_no``."""

    name: str
    descending: bool
    missing_first: bool
    field: Field | None = None

    def value(self, found: Found) -> Any:
        """Return the sort value of a hit, as it is shown."""
        own: Mapping[str, Any] = {
            "_score": found.score,
            "_id": found.row.id,
            "_index": found.row.index,
            "_doc": found.place,
            "_shard_doc": found.place,
            "_seq_no": found.row.document.seq_no,
        }
        return own[self.name] if self.field is None else self._of_field(self.field, found.row)

    def _of_field(self, field: Field, row: Row) -> Any:
        known = [_shown(field, value) for value in values(row.source, field.path)]
        if not known:
            return _missing(field, largest=self.descending == self.missing_first)
        return max(known) if self.descending else min(known)

    def rank(self, value: Any) -> tuple[bool, Any]:
        """Return a sort value so that it compares with others: what is missing stands at one end."""
        if value is None:
            return self.missing_first == self.descending, 0
        return self.missing_first != self.descending, float(value) if isinstance(value, bool) else _number(value)


def _number(value: Any) -> Any:
    return -math.inf if value == "-Infinity" else math.inf if value == "Infinity" else value


def _shown(field: Field, value: Any) -> Any:
    if field.type == "date":
        return milliseconds(value)
    if field.type == "boolean":
        return int(str(value).lower() == "true")
    if field.type in WHOLE:
        return int(float(value))
    return float(value) if field.type in FRACTIONS else value


def _missing(field: Field, *, largest: bool) -> Any:
    """Return what stands for a missing value: the largest or the smallest one of its type, or null."""
    if field.type in FRACTIONS:
        return "Infinity" if largest else "-Infinity"
    bits = {**WHOLE, "byte": 32, "short": 32, "boolean": 32, "date": 64}.get(field.type)
    return None if bits is None else 2 ** (bits - 1) - 1 if largest else -(2 ** (bits - 1))


def sort_keys(scope: Scope, sort: Any) -> list[Key]:
    """Return the keys of a ``sort``. Raises Refused for a field that cannot be sorted by."""
    rows = [sort] if isinstance(sort, str | Mapping) else sort or []
    return [_key(scope, row) for row in rows]


def _key(scope: Scope, row: Any) -> Key:
    ((name, given),) = [(row, {})] if isinstance(row, str) else row.items()
    options: Mapping[str, Any] = given if isinstance(given, Mapping) else {"order": given}
    order = str(options.get("order", "desc" if name == "_score" else "asc")).lower()
    if order not in ORDERS:
        raise illegal(f"No enum constant org.opensearch.search.sort.SortOrder.{order.upper()}")
    is_own = name in {"_score", "_id", "_index", "_seq_no", *PLACES}
    field = None if is_own else _sortable(scope, name, options.get("unmapped_type"))
    return Key(name, order == "desc", options.get("missing") == "_first", field)


def _sortable(scope: Scope, name: str, unmapped: str | None) -> Field:
    field = scope.field(name)
    if field is None and unmapped is not None:
        return Field(name, unmapped)
    if field is None:
        raise scope.misfit(f"No mapping found for [{name}] in order to sort on")
    if why := problem_of(field, name):
        raise scope.fail(cause("illegal_argument_exception", why))
    return field


def in_order(found: Sequence[Found], keys: Sequence[Key]) -> list[Found]:
    """Return hits by their keys; without keys, by their scores."""
    if not keys:
        return sorted(found, key=lambda one: -one.score)
    ordered = list(found)
    for key in reversed(keys):
        ordered.sort(key=lambda one, key=key: key.rank(key.value(one)), reverse=key.descending)  # type: ignore[misc]
    return ordered


def following(scope: Scope, found: Sequence[Found], keys: Sequence[Key], after: Any, start: int) -> Sequence[Found]:
    """Return the hits after the sort values of the last one of the page before. Raises Refused for bad ones."""
    if after is None:
        return found
    if not keys:
        raise scope.fail(cause("illegal_argument_exception", "Sort must contain at least one field."))
    if len(after) != len(keys):
        words = f"search_after has {len(after)} value(s) but sort has {len(keys)}."
        raise scope.fail(cause("illegal_argument_exception", words))
    if start:
        raise scope.fail(cause("search_exception", NOT_BOTH), 500)
    return [one for one in found if _is_after(one, keys, after)]


def _is_after(one: Found, keys: Sequence[Key], after: Sequence[Any]) -> bool:
    for key, bound in zip(keys, after, strict=True):
        own, other = key.rank(key.value(one)), key.rank(bound)
        if own != other:
            return bool(own < other if key.descending else own > other)
    return False
