"""cattrs hooks for unions: the JSON type of the data, for objects their type or required keys, select the member."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping, Sequence, Set
from enum import Enum
from typing import Any, Literal, Union, get_args, get_origin

import attrs
import cattrs

from aiomlcommons.endpoint import fields_of, wire_name
from aiomlcommons.net.secret import Secret
from aiomlcommons.record import NULL, Null, Tagged
from aiomlcommons.wire._hooks import Hook, expected, fits, is_mapping, is_object, not_one_of

_ACCEPTS: Mapping[Any, tuple[type, ...]] = {
    str: (str,),
    bool: (bool,),
    int: (int,),
    float: (int, float),
    bytes: (bytes,),
    type(None): (type(None),),
    Null: (type(None),),
    Secret: (str, Secret),
}
_UNCHANGED = (str, bool, int, float)


def is_union(cls: Any) -> bool:
    """Return whether a type is a union."""
    return get_origin(cls) in (Union, types.UnionType)


def _accepts(member: Any) -> tuple[type, ...]:
    origin = get_origin(member) or member
    if origin in _ACCEPTS:
        return _ACCEPTS[origin]
    if origin is Literal:
        return tuple(type(word) for word in get_args(member))
    if isinstance(origin, type) and issubclass(origin, Sequence):
        return (list, tuple)
    return (Mapping,)


def union_in(converter: cattrs.Converter, cls: Any) -> Hook:
    """Make a hook that structures null, an enum value, an object by its keys, else the first member that accepts it."""
    members = get_args(cls)
    read_object = _object_reader(converter, members)
    enums = [m for m in members if isinstance(m, type) and issubclass(m, Enum) and m is not Null]
    plain = [(m, _accepts(m)) for m in members if m not in enums and m is not Null]
    null = NULL if Null in members else None
    takes_null = null is NULL or type(None) in members
    words = {word.value: word for word in enums[0]} if enums else {}
    # An enum is closed, so that other values are rejected, unless str is a member of the union too: newer servers add
    # values.
    closed = bool(enums) and str not in members
    as_they_are = _as_they_are(plain) - ({str} if enums else set())

    def hook(data: Any, _: Any) -> Any:
        if type(data) in as_they_are:
            return data
        if data is None and takes_null:
            return null
        if enums and isinstance(data, str):
            if closed and data not in words:
                raise not_one_of(list(words), data)
            return words.get(data, data)
        if isinstance(data, Mapping) and read_object is not None:
            return read_object(data)
        for member, accepted in plain:
            if fits(data, accepted):
                return converter.structure(data, member)
        raise expected(_names(members), data)

    return hook


def _as_they_are(plain: Sequence[tuple[Any, tuple[type, ...]]]) -> set[type]:
    """Return the types of data that the first member which accepts them leaves as they are."""
    first = {kind: next((m for m, accepted in plain if kind in accepted), None) for kind in _UNCHANGED}
    return {kind for kind, member in first.items() if member in _UNCHANGED}


def _object_reader(converter: cattrs.Converter, members: Sequence[Any]) -> Callable[[Mapping[str, Any]], Any] | None:
    """Make a function that reads an object as the first member that it fits; None if no member is an object.

    An object that fits none stays a dict if that is a member too, and is read as the last member otherwise. So does one
    of a known type (``Tagged``) whose values are not what we know of it: what a server keeps is always readable.
    """
    objects = [member for member in members if is_object(member)]
    if not objects:
        return None
    loose = next((member for member in members if is_mapping(member)), None)
    tests = [(member, _test(member)) for member in objects]

    def read(data: Mapping[str, Any]) -> Any:
        member = next((member for member, fits_to in tests if fits_to(data.keys())), loose or objects[-1])
        try:
            return converter.structure(data, member)
        except Exception:
            if loose is None or not _is_tagged(member):
                raise
        return converter.structure(data, loose)

    return read


def _is_tagged(member: Any) -> bool:
    return isinstance(member, type) and issubclass(member, Tagged)


def _test(member: Any) -> Callable[[Set[str]], bool]:
    """Make a test of whether an object of certain keys is of a class: by its type, or by the keys that are required."""
    if _is_tagged(member):
        alone = {member.type}
        return lambda keys: keys == alone
    required = {wire_name(f) for f in fields_of(get_origin(member) or member) if f.default is attrs.NOTHING}
    return lambda keys: required <= keys


def _names(members: Sequence[Any]) -> str:
    names = [getattr(m, "__name__", str(m)) for m in members if m not in (type(None), Null)]
    return " or ".join(dict.fromkeys(names))
