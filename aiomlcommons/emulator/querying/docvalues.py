"""``docvalue_fields``: values of hits as the index holds them, apart from the source."""

from __future__ import annotations

import base64
import fnmatch
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import attrs
import numpy as np

from aiomlcommons.emulator.querying._fielddata import problem_of
from aiomlcommons.emulator.querying.errors import cause, not_emulated
from aiomlcommons.emulator.querying.scope import OWN, Field, Row, Scope
from aiomlcommons.emulator.querying.types import FRACTIONS, WHOLE, milliseconds


@attrs.frozen
class Wanted:
    """A field whose values are wanted, and how dates are written."""

    field: Field
    name: str
    format: str | None = None


def wanted(scope: Scope, given: Sequence[Any]) -> list[Wanted]:
    """Return the fields of a request; a name may be a pattern. Raises Refused for fields that have no such values."""
    return [one for each in given for one in _matching(scope, each)]


def _matching(scope: Scope, given: Any) -> list[Wanted]:
    pattern, form = (given["field"], given.get("format")) if isinstance(given, Mapping) else (given, None)
    every = OWN if pattern in OWN else scope.fields or {}
    names = [name for name in every if fnmatch.fnmatchcase(name, pattern)]
    found = [Wanted(field, name, form) for name in names if (field := scope.field(name)) is not None]
    return [one for one in found if _has_values(scope, one, is_pattern="*" in pattern)]


def _has_values(scope: Scope, one: Wanted, *, is_pattern: bool) -> bool:
    if one.field.type in {"object", "nested"}:
        return False
    why = problem_of(one.field, one.name)
    if why is None and one.field.type not in SHOWN:
        raise not_emulated(f"docvalue_fields of type [{one.field.type}]")
    if why is not None and not is_pattern:
        raise scope.fail(cause("illegal_argument_exception", why))
    return why is None


def of(row: Row, fields: Sequence[Wanted]) -> dict[str, list[Any]]:
    """Return the values of a hit by the names of fields, sorted as the index has them."""
    found = {one.name: _shown(row, one) for one in fields}
    return {name: values for name, values in found.items() if values}


def _shown(row: Row, one: Wanted) -> list[Any]:
    show = SHOWN[one.field.type]
    return [show(value, one.format) for value in _ordered(row, one.field)]


def _ordered(row: Row, field: Field) -> list[Any]:
    found = row.values(field.path)
    if field.type in {"keyword", "knn_vector"}:
        return found if field.type == "knn_vector" else sorted(set(map(str, found)))
    return sorted(found)


def _date(value: Any, form: str | None) -> str:
    moment = milliseconds(value)
    if form == "epoch_millis":
        return str(moment)
    if form is not None:
        raise not_emulated(f"the format [{form}] of a date")
    return datetime.fromtimestamp(moment / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


SHOWN: Mapping[str, Callable[[Any, str | None], Any]] = {
    "keyword": lambda value, _: value,
    "_id": lambda value, _: value,
    "boolean": lambda value, _: str(value).lower() == "true",
    "date": _date,
    "knn_vector": lambda value, _: base64.b64encode(np.asarray(value, "<f4").tobytes()).decode(),
    **dict.fromkeys((*WHOLE, "_seq_no"), lambda value, _: int(float(value))),
    **dict.fromkeys(FRACTIONS, lambda value, _: float(value)),
}
