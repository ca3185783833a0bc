"""Requests whose values are plain already, as most are: texts, numbers and lists of texts need no converter."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from math import isfinite
from typing import Any, NamedTuple, get_args, get_origin, get_type_hints

from aiomlcommons.endpoint import Request, fields_of, wire_name
from aiomlcommons.wire._unions import is_union

# The types of values that the converter takes for a type, and leaves as they are.
_TAKEN: dict[Any, frozenset[type]] = {
    str: frozenset({str}),
    bool: frozenset({bool}),
    int: frozenset({int}),
    float: frozenset({int, float}),
    type(None): frozenset({type(None)}),
}


class _Field(NamedTuple):
    name: str
    key: str
    may_be_absent: bool
    taken: frozenset[type]
    takes_texts: bool


def plain_keys(request: Request[Any]) -> dict[str, Any] | None:
    """Return the wire data of a request whose values are all plain; None if the converter has to look at them.

    What is returned is what the converter would return, and would find valid.
    """
    cls: Any = type(request)
    keys: dict[str, Any] = {}
    for name, key, may_be_absent, taken, takes_texts in _fields(cls):
        value: Any = getattr(request, name)
        kind = type(value)
        if value is None and may_be_absent:
            continue
        if not (kind in taken or (takes_texts and _are_texts(value))):
            return None
        if isinstance(value, float) and not isfinite(value):
            return None
        keys[key] = value
    return keys


@cache
def _fields(cls: Any) -> tuple[_Field, ...]:
    hints = get_type_hints(cls)
    return tuple(
        _Field(field.name, wire_name(field), field.default is None, *_plain(hints[field.name]))
        for field in fields_of(cls)
    )


def _plain(declared: Any) -> tuple[frozenset[type], bool]:
    """Return the types of values that a field takes as they are, and whether it takes lists of texts."""
    members = get_args(declared) if is_union(declared) else (declared,)
    if not all(member in _TAKEN or _is_texts(member) for member in members):
        return frozenset(), False
    taken = frozenset().union(*(_TAKEN.get(member, frozenset()) for member in members))
    return taken, any(map(_is_texts, members))


def _is_texts(member: Any) -> bool:
    origin = get_origin(member)
    return isinstance(origin, type) and issubclass(origin, Sequence) and get_args(member) == (str,)


def _are_texts(value: Any) -> bool:
    return type(value) is list and set(map(type, value)) <= {str}
