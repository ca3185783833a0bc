"""cattrs hooks for all types but unions: strict primitives, objects, sequences, mappings, literals."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, Literal, TypeAlias, get_args, get_origin

import attrs
import cattrs
import cattrs.errors
from cattrs.gen import (
    make_dict_structure_fn,
    make_dict_unstructure_fn,
    mapping_structure_factory,
    mapping_unstructure_factory,
    override,
)

from aiomlcommons.endpoint import fields_of, wire_name
from aiomlcommons.record import Record, Tagged, kind_of
from aiomlcommons.spelling import did_you_mean

# The most values of a mapping whose errors are told together.
_EXPLAINED = 100
Hook: TypeAlias = Callable[[Any, Any], Any]
"""A structure hook: takes wire data and the target type, returns the typed value."""


def _kind(data: Any) -> str:
    kinds = {bool: "a boolean", int: "an integer", float: "a number", str: "a string", bytes: "bytes"}
    if data is None:
        return "null"
    if isinstance(data, Mapping):
        return "an object"
    return kinds.get(type(data)) or ("an array" if isinstance(data, Sequence) else kind_of(data))


def expected(what: str, data: Any) -> TypeError:
    """Return the error for data that does not match its type."""
    shown = repr(data) if isinstance(data, str | int | float) else _kind(data)
    return TypeError(f"expected {what}, got {shown[:80]}")


def not_one_of(words: Sequence[str], data: Any) -> TypeError:
    """Return the error for a value outside of a closed set."""
    hint = did_you_mean(str(data), words)
    return expected(" or ".join(map(repr, words)) + (hint and f" ({hint})"), data)


def fits(data: Any, accepted: tuple[type, ...]) -> bool:
    """Return whether data is of one of the types; a bool does not count as an int."""
    return isinstance(data, accepted) and (not isinstance(data, bool) or bool in accepted)


def strict(accepted: tuple[type, ...], what: str) -> Hook:
    """Make a hook that accepts data of these types unchanged, and rejects all other."""

    def hook(data: Any, _: Any) -> Any:
        if type(data) not in accepted and not fits(data, accepted):
            raise expected(what, data)
        return data

    return hook


# ---- objects: wire names, unknown keys preserved -------------------------------------------------------------------


def is_object(cls: Any) -> bool:
    return attrs.has(get_origin(cls) or cls)


def _override(field: attrs.Attribute[Any]) -> Any:
    if field.name == "extra":
        return override(omit=True)
    # A default of None means "omit"; any other default is sent to the server.
    return override(rename=wire_name(field), omit_if_default=field.default is None)


def _overrides(cls: Any) -> dict[str, Any]:
    return {field.name: _override(field) for field in fields_of(get_origin(cls) or cls)}


def object_in(converter: cattrs.Converter, cls: Any) -> Hook:
    """Make a hook that structures an object; unknown keys of a Record go to its ``extra``."""
    read: Hook = make_dict_structure_fn(cls, converter, **_overrides(cls))
    origin = get_origin(cls) or cls
    known = frozenset(map(wire_name, attrs.fields(origin)))
    keeps = issubclass(origin, Record)

    def hook(data: Any, declared: Any) -> Any:
        if type(data) is not dict:  # most are what JSON was decoded to
            if isinstance(data, origin):
                return data
            if not isinstance(data, Mapping):
                raise expected("an object", data)
        made = read(data, declared)
        if keeps and not known.issuperset(data):
            made.extra.update((key, data[key]) for key in data if key not in known)
        return made

    return _unwrapping(hook, origin) if issubclass(origin, Tagged) else hook


def _unwrapping(read: Hook, cls: type[Tagged]) -> Hook:
    """Make a hook that structures an object that stands under its type."""

    def hook(data: Any, declared: Any) -> Any:
        if not isinstance(data, Mapping):
            return read(data, declared)
        if data.keys() != {cls.type}:
            raise expected(f"an object of the one key {cls.type!r}", data)
        return read(data[cls.type], declared)

    return hook


def object_out(converter: cattrs.Converter, cls: Any) -> Callable[[Any], Any]:
    """Make a hook that unstructures an object, its ``extra`` included."""
    write = make_dict_unstructure_fn(cls, converter, **_overrides(cls))
    origin = get_origin(cls) or cls
    keeps = issubclass(origin, Record)

    def hook(value: Any) -> Any:
        if not isinstance(value, origin):
            return value  # ``checked`` rejects it, or accepts it if it is a dict with the right keys
        written = {**write(value), **value.extra} if keeps else write(value)
        return {origin.type: written} if issubclass(origin, Tagged) else written

    return hook


# ---- sequences: a string is not a sequence of characters -----------------------------------------------------------


def is_sequence(cls: Any) -> bool:
    origin = get_origin(cls)
    return isinstance(origin, type) and issubclass(origin, Sequence) and origin is not tuple


def sequence_in(converter: cattrs.Converter, cls: Any) -> Hook:
    """Make a hook that structures an array; items are converted only if their type requires it."""
    (item,) = get_args(cls)
    if item in (float, Any):
        # Vectors: a call per number would dominate the cost. numpy validates the items when it converts them.
        return strict((list, tuple), "an array")

    def each(value: Any) -> Any:
        return converter.structure(value, item)

    def all_are_texts(data: Sequence[Any]) -> bool:
        return item is str and set(map(type, data)) <= {str}

    def hook(data: Any, _: Any) -> Any:
        if not isinstance(data, list | tuple):
            raise expected("an array", data)
        if all_are_texts(data):
            return list(data)
        return _each(data, each) if converter.detailed_validation else [each(value) for value in data]

    return hook


def sequence_out(converter: cattrs.Converter, cls: Any) -> Callable[[Any], Any]:
    """Make a hook that unstructures an array."""
    (item,) = get_args(cls)
    if item in (str, float, int, bool):
        return lambda value: value
    # What was given in place of a list must stay what it is, so that ``checked`` rejects it.
    return lambda value: (
        [converter.unstructure(part) for part in value]
        if isinstance(value, Iterable) and not isinstance(value, str)
        else value
    )


def _each(data: Sequence[Any], each: Callable[[Any], Any]) -> list[Any]:
    result = []
    for index, value in enumerate(data):
        try:
            result.append(each(value))
        except Exception as error:
            # cattrs builds the path of an error from notes of this kind.
            error.__notes__ = [cattrs.errors.IterableValidationNote(f"at index {index}", index, None)]
            raise cattrs.IterableValidationError("an item does not fit", [error], list) from None  # pyright: ignore[reportCallIssue]
    return result


def is_mapping(cls: Any) -> bool:
    origin = get_origin(cls)
    return isinstance(origin, type) and issubclass(origin, Mapping)


def mapping_in(converter: cattrs.Converter, cls: Any) -> Hook:
    """Make a hook that structures a mapping, whose keys are data."""
    read: Hook = mapping_structure_factory(cls, converter, detailed_validation=converter.detailed_validation)

    def hook(data: Any, declared: Any) -> Any:
        if not isinstance(data, Mapping):
            raise expected("an object", data)
        return read(data, declared) if len(data) <= _EXPLAINED or not converter.detailed_validation else _slowly(data)

    def _slowly(data: Mapping[Any, Any]) -> Any:
        # In parts, of which the first with errors is explained: each error takes a thousand bytes.
        made: dict[Any, Any] = {}
        keys = iter(data)
        while part := {key: data[key] for key in islice(keys, _EXPLAINED)}:
            made.update(read(part, cls))
        return made

    return hook


def mapping_out(converter: cattrs.Converter, cls: Any) -> Callable[[Any], Any]:
    """Make a hook that unstructures a mapping, whose keys are data."""
    write = mapping_unstructure_factory(cls, converter, unstructure_to=dict)
    return lambda value: write(value) if isinstance(value, Mapping) else value


def is_literal(cls: Any) -> bool:
    origin: Any = get_origin(cls)
    return origin is Literal


def literal_in(cls: Any) -> Hook:
    """Make a hook that accepts a value of a closed set."""
    words = get_args(cls)

    def hook(data: Any, _: Any) -> Any:
        if data not in words:
            raise not_one_of(words, data)
        return data

    return hook
