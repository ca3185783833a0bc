"""The values of fields of weights: ``rank_feature``, ``rank_features`` and ``sparse_vector``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiomlcommons.emulator.encoding import java
from aiomlcommons.emulator.indices.errors import Unreadable
from aiomlcommons.emulator.querying.errors import cause

ILLEGAL = "illegal_argument_exception"
SMALLEST = 1.1754944e-38


def features(path: str, value: Any, kind: str) -> None:
    """Raise Unreadable for what are no weights by token."""
    if not isinstance(value, Mapping):
        token = "VALUE_STRING" if isinstance(value, str) else "VALUE_NUMBER"
        reason = f"[{kind}] fields must be json objects, expected a START_OBJECT but got: {token}"
        raise Unreadable(cause(ILLEGAL, reason), None)
    for name, weight in value.items():
        if kind == "sparse_vector":
            _check_id(name)
        if isinstance(weight, Mapping | list):
            token = "START_OBJECT" if isinstance(weight, Mapping) else "START_ARRAY"
            takes = f"[{kind}] fields take hashes that map a feature to a strictly positive float"
            raise Unreadable(cause(ILLEGAL, f"{takes}, but got unexpected token {token}"), None)
        if weight is not None and (why := _weak(name, path, weight)):
            raise Unreadable(why, None)


def _check_id(name: str) -> None:
    """Raise Unreadable for a token that is none of a vocabulary's ids."""
    if not name.isdecimal():
        what = "valid integer" if not name.lstrip("-").isdecimal() else "text of non-negative integer"
        raise Unreadable(cause(ILLEGAL, f"[sparse_vector] fields should be {what}"), None)


def feature(path: str, value: Any) -> None:
    """Raise Unreadable for what is no weight."""
    if isinstance(value, list) and len(value) > 1:
        reason = f"[rank_feature] fields do not support indexing multiple values for the same field [{path}]"
        raise Unreadable(cause(ILLEGAL, f"{reason} in the same document"), java(value[1]))
    if why := _weak(path, "_feature", value[0] if isinstance(value, list) else value):
        raise Unreadable(why, java(value))


def _weak(name: str, path: str, weight: Any) -> Mapping[str, Any] | None:
    """Return what is wrong with a weight that is not a positive number."""
    try:
        number = float(weight)
    except (TypeError, ValueError):
        return cause("number_format_exception", f'For input string: "{weight}"')
    if number >= SMALLEST:
        return None
    where = f"for feature {name} on field {path}"
    least = "which is less than the minimum positive normal float: 1.1754944E-38"
    return cause(ILLEGAL, f"featureValue must be a positive normal float, got: {number} {where} {least}")
