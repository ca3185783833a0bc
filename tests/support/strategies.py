"""Hypothesis strategies for any type of the API: requests, responses and their parts."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from enum import Enum
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import attrs
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from aiomlcommons.endpoint import Request, Route, fields_of
from aiomlcommons.net.secret import Secret
from aiomlcommons.record import NULL, Null, Record

Values = SearchStrategy[Any]

# JSON has no lone surrogates.
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
# A reserved segment would be another route; none of those starts with a zero.
SEGMENT = st.one_of(
    st.sampled_from(["0m-1", "0_x"]), TEXT.map("0{}".format), st.sampled_from([".", "..", "a/b", "%2F", "ä b", "a?b#c"])
)
INTEGER = st.integers(-(2**53), 2**53)
NUMBER = st.floats(allow_nan=False, allow_infinity=False)
LEAF = st.none() | st.booleans() | INTEGER | NUMBER | TEXT
JSON = st.recursive(
    LEAF, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2), max_leaves=3
)
# No key of the API starts like this.
UNKNOWN = st.dictionaries(TEXT.map("unknown {}".format), JSON, max_size=1)
SIMPLE: Mapping[Any, Values] = {
    str: TEXT,
    int: INTEGER,
    float: NUMBER,
    bool: st.booleans(),
    bytes: st.binary(max_size=6),
    NoneType: st.none(),
    Null: st.just(NULL),
    Secret: TEXT.map(Secret),
    Any: JSON,
}


def requests(cls: type[Request[Any]], route: Route | None = None) -> Values:
    """Generate requests of a class that one of its routes can transport."""
    names = (route or cls.endpoint.route).names
    hints = get_type_hints(cls)
    elsewhere = {name for other in cls.endpoint.routes for name in other.names} - {*names}
    places = {name: st.none() for name in elsewhere if NoneType in get_args(hints[name])}
    return built(cls, {}, {**places, **{name: _in_path(hints[name]) for name in names}}).filter(
        lambda request: not list(request.problems())
    )


def _in_path(declared: Any) -> Values:
    if declared is int:
        return st.integers(0, 2**31)
    return values(declared) if get_origin(declared) is Literal else SEGMENT


def answers(cls: type[Request[Any]]) -> Values:
    """Generate responses to the requests of a class, some with keys that no record knows."""
    return values(cls.endpoint.returns)


@functools.cache
def values(declared: Any) -> Values:
    """Generate values of a type that can be transported."""
    if declared in SIMPLE:
        return SIMPLE[declared]
    origin, args = get_origin(declared) or declared, get_args(declared)
    if origin in (Union, UnionType):
        return st.one_of(*map(values, _told_apart(args)))
    if origin is Literal:
        return st.sampled_from(args)
    if isinstance(origin, type) and issubclass(origin, Enum):
        return st.sampled_from(list(origin))
    if attrs.has(origin):
        return st.deferred(lambda: built(origin, dict(zip(getattr(origin, "__parameters__", ()), args, strict=True))))
    if issubclass(origin, Mapping):
        return st.dictionaries(values(args[0]), values(args[1]), max_size=2)
    assert issubclass(origin, Sequence), declared
    return st.lists(values(args[0]), max_size=2)


def built(cls: Any, generic: Mapping[Any, Any], fixed: Mapping[str, Values] | None = None) -> Values:
    """Generate objects of an attrs class; ``generic`` maps its type variables to types."""
    hints = get_type_hints(cls)
    given: dict[str, Values] = {
        str(field.alias): values(_filled(hints[field.name], generic)) for field in fields_of(cls) if field.init
    }
    if issubclass(cls, Record):
        given["extra"] = UNKNOWN
    return st.builds(cls, **{**given, **(fixed or {})})


def _told_apart(members: Sequence[Any]) -> list[Any]:
    # Bytes and secrets are strings on the wire, and are decoded as strings where a field also allows these.
    return [member for member in members if str not in members or member not in (bytes, Secret)]


def _filled(declared: Any, generic: Mapping[Any, Any]) -> Any:
    if isinstance(declared, TypeVar):
        return generic[declared]
    if variables := getattr(declared, "__parameters__", ()):
        return declared[tuple(generic[variable] for variable in variables)]
    return declared
