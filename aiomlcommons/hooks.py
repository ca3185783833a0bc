"""How the converter treats each kind of type: strict primitives, unions, objects, sequences, maps."""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from functools import partial
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

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

from aiomlcommons.endpoint import NULL, Null, Record, fields_of, wire_name
from aiomlcommons.secret import Secret

T = TypeVar("T")
Hook = Callable[[Any, Any], Any]


def _kind(data: Any) -> str:
    kinds = {bool: "a boolean", int: "an integer", float: "a number", str: "a string", bytes: "bytes"}
    if data is None:
        return "null"
    if isinstance(data, Mapping):
        return "an object"
    return kinds.get(type(data)) or ("an array" if isinstance(data, Sequence) else type(data).__name__)


def _expected(what: str, data: Any) -> TypeError:
    shown = repr(data) if isinstance(data, str | int | float) else _kind(data)
    return TypeError(f"expected {what}, got {shown[:80]}")


def _strict(accepted: type | tuple[type, ...], what: str) -> Hook:
    def hook(data: Any, _: Any) -> Any:
        if not isinstance(data, accepted) or (isinstance(data, bool) and accepted is not bool):
            raise _expected(what, data)
        return data

    return hook


# ---- unions: the JSON kind of the data chooses the member ----------------------------------------------------------

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


def _is_union(cls: Any) -> bool:
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


def _open_enum(member: type[Enum], data: Any) -> Any:
    # The server's words grow with its versions, so an unknown one stays the string that it is.
    try:
        return member(data)
    except ValueError:
        return data


def _union_hook(converter: cattrs.Converter, cls: Any) -> Hook:
    members = get_args(cls)
    choose = _chooser(members)
    enums = [m for m in members if isinstance(m, type) and issubclass(m, Enum) and m is not Null]
    plain = [(m, _accepts(m)) for m in members if m not in enums and m is not Null]
    null = NULL if Null in members else None
    # Words beside an enum close it: any other is refused. With str beside it, it is open.
    closed = bool(enums) and str not in members

    def hook(data: Any, _: Any) -> Any:
        if data is None and (null is NULL or type(None) in members):
            return null
        if enums and isinstance(data, str):
            words = [word.value for word in enums[0]]
            if closed and data not in words:
                raise _expected(" or ".join(map(repr, words)), data)
            return _open_enum(enums[0], data)
        if isinstance(data, Mapping) and (member := choose(data)):
            return converter.structure(data, member)
        for member, accepted in plain:
            if isinstance(data, accepted) and not (isinstance(data, bool) and bool not in accepted):
                return converter.structure(data, member)
        raise _expected(_names(members), data)

    return hook


def _chooser(members: Sequence[Any]) -> Callable[[Mapping[str, Any]], Any]:
    """Which of several objects an answer is: the first whose required keys it has. The last one takes the rest."""
    objects = [member for member in members if _is_object(member)]
    required = [
        (member, {wire_name(f) for f in fields_of(get_origin(member) or member) if f.default is attrs.NOTHING})
        for member in objects
    ]

    def choose(data: Mapping[str, Any]) -> Any:
        return next((member for member, keys in required if keys <= data.keys()), objects[-1] if objects else None)

    return choose


def _names(members: Sequence[Any]) -> str:
    names = [getattr(m, "__name__", str(m)) for m in members if m not in (type(None), Null)]
    return " or ".join(dict.fromkeys(names))


# ---- objects: names of the wire, unknown keys kept -----------------------------------------------------------------


def _is_object(cls: Any) -> bool:
    return attrs.has(get_origin(cls) or cls)


def _override(field: attrs.Attribute[Any]) -> Any:
    if field.name == "extra":
        return override(omit=True)
    # None means "leave out"; any other default is a value that the server is told.
    return override(rename=wire_name(field), omit_if_default=field.default is None)


def _overrides(cls: Any) -> dict[str, Any]:
    return {field.name: _override(field) for field in fields_of(get_origin(cls) or cls)}


def _object_in(converter: cattrs.Converter, cls: Any) -> Hook:
    read: Hook = make_dict_structure_fn(cls, converter, **_overrides(cls))
    origin = get_origin(cls) or cls
    known = frozenset(map(wire_name, attrs.fields(origin)))
    keeps = issubclass(origin, Record)

    def hook(data: Any, declared: Any) -> Any:
        if isinstance(data, origin):
            return data
        if not isinstance(data, Mapping):
            raise _expected("an object", data)
        made = read(data, declared)
        if keeps and (unknown := data.keys() - known):
            made.extra.update((key, data[key]) for key in data if key in unknown)
        return made

    return hook


def _object_out(converter: cattrs.Converter, cls: Any) -> Callable[[Any], Any]:
    write = make_dict_unstructure_fn(cls, converter, **_overrides(cls))
    origin = get_origin(cls) or cls
    keeps = issubclass(origin, Record)

    def hook(value: Any) -> Any:
        if not isinstance(value, origin):
            return value  # for ``checked`` to refuse, or to take where it is a dict with the right keys
        return {**write(value), **value.extra} if keeps else write(value)

    return hook


# ---- sequences: text is not a sequence of its letters --------------------------------------------------------------


def _is_sequence(cls: Any) -> bool:
    origin = get_origin(cls)
    return isinstance(origin, type) and issubclass(origin, Sequence) and origin is not tuple


def _sequence_hook(converter: cattrs.Converter, cls: Any) -> Hook:
    (item,) = get_args(cls)
    if item in (float, Any):
        # Vectors: an object and a call per number would cost more than all the rest. numpy checks them when it reads.
        return _strict((list, tuple), "an array")

    def each(value: Any) -> Any:
        return converter.structure(value, item)

    def all_are_texts(data: Sequence[Any]) -> bool:
        return item is str and set(map(type, data)) <= {str}

    def hook(data: Any, _: Any) -> Any:
        if not isinstance(data, list | tuple):
            raise _expected("an array", data)
        if all_are_texts(data):
            return list(data)
        return _each(data, each) if converter.detailed_validation else [each(value) for value in data]

    return hook


def _sequence_out(converter: cattrs.Converter, cls: Any) -> Callable[[Any], Any]:
    (item,) = get_args(cls)
    if item in (str, float, int, bool):
        return lambda value: value
    # Text given where a list belongs must stay text, for ``checked`` to refuse it.
    return lambda value: value if isinstance(value, str) else [converter.unstructure(part) for part in value]


def _each(data: Sequence[Any], each: Callable[[Any], Any]) -> list[Any]:
    result = []
    for index, value in enumerate(data):
        try:
            result.append(each(value))
        except Exception as error:
            # cattrs builds the path of a problem from notes of this kind.
            error.__notes__ = [cattrs.errors.IterableValidationNote(f"at index {index}", index, None)]
            raise cattrs.IterableValidationError("an item does not fit", [error], list) from None  # pyright: ignore[reportCallIssue]
    return result


def _is_mapping(cls: Any) -> bool:
    origin = get_origin(cls)
    return isinstance(origin, type) and issubclass(origin, Mapping)


def _mapping_hook(converter: cattrs.Converter, cls: Any) -> Hook:
    read: Hook = mapping_structure_factory(cls, converter, detailed_validation=converter.detailed_validation)

    def hook(data: Any, declared: Any) -> Any:
        if not isinstance(data, Mapping):
            raise _expected("an object", data)
        return read(data, declared)

    return hook


def _mapping_out(converter: cattrs.Converter, cls: Any) -> Callable[[Any], Any]:
    write = mapping_unstructure_factory(cls, converter, unstructure_to=dict)
    return lambda value: write(value) if isinstance(value, Mapping) else value


def _is_literal(cls: Any) -> bool:
    origin: Any = get_origin(cls)
    return origin is Literal


def _literal_hook(cls: Any) -> Hook:
    words = get_args(cls)

    def hook(data: Any, _: Any) -> Any:
        if data not in words:
            raise _expected(" or ".join(map(repr, words)), data)
        return data

    return hook


def make_converter(*, detailed: bool) -> cattrs.Converter:
    converter = cattrs.Converter(detailed_validation=detailed)
    hook = converter.register_structure_hook
    hook(str, _strict(str, "a string"))
    hook(bool, _strict(bool, "true or false"))
    hook(int, _strict(int, "an integer"))
    hook(float, _strict((int, float), "a number"))
    hook(bytes, _strict(bytes, "bytes"))
    hook(Secret, lambda data, _: data if isinstance(data, Secret) else Secret(data))
    factory = converter.register_structure_hook_factory
    factory(_is_object, partial(_object_in, converter))
    factory(_is_sequence, partial(_sequence_hook, converter))
    factory(_is_mapping, partial(_mapping_hook, converter))
    factory(_is_literal, _literal_hook)
    factory(_is_union, partial(_union_hook, converter))
    converter.register_unstructure_hook(Null, lambda _: None)
    converter.register_unstructure_hook(Secret, lambda value: value.reveal())
    converter.register_unstructure_hook_factory(_is_object, partial(_object_out, converter))
    converter.register_unstructure_hook_factory(_is_sequence, partial(_sequence_out, converter))
    converter.register_unstructure_hook_factory(_is_mapping, partial(_mapping_out, converter))
    return converter
