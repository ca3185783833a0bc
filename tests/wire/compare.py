"""Comparison of JSON values, and a check that no key was left to ``extra``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs

from aiomlcommons.record import Record

# The server parses the keys of an object in order, and needs the first of each pair before the second.
ORDERED = (("function_name", "model_config"), ("column_type", "value"))


class Difference(AssertionError):
    """A result differs from the recording."""


def same(recorded: Any, written: Any, where: str) -> None:
    """Raise Difference where two values differ as JSON: the order of keys does not matter, true is not 1, 1 is 1.0."""
    if isinstance(recorded, dict) and isinstance(written, dict):
        if recorded.keys() != written.keys():
            raise Difference(f"{where} has the keys {sorted(written)}, recorded are {sorted(recorded)}")
        for key, value in recorded.items():
            same(value, written[key], f"{where}.{key}")
    elif isinstance(recorded, list) and isinstance(written, list | tuple):
        if len(recorded) != len(written):
            raise Difference(f"{where} has {len(written)} items, recorded are {len(recorded)}")
        for index, (one, other) in enumerate(zip(recorded, written, strict=True)):
            same(one, other, f"{where}[{index}]")
    elif isinstance(recorded, bool) is not isinstance(written, bool) or recorded != written:
        raise Difference(f"{where} is {written!r}, recorded is {recorded!r}")


def ordered(value: Any) -> None:
    """Raise Difference where a key follows one that the server must read after it."""
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        ordered(part)
    for first, second in ORDERED:
        if isinstance(value, dict) and first in value and second in value:
            keys = list(value)
            if keys.index(first) > keys.index(second):
                raise Difference(f"{first} must stand before {second}")


def no_extras(value: Any, where: str) -> None:
    """Raise Difference where a record has keys that are not fields."""
    for place, extra in _extras(value, where):
        raise Difference(f"{place} holds keys that no field takes: {sorted(extra)}")


def _extras(value: Any, where: str) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(value, Record) and value.extra:
        yield where, value.extra
    if attrs.has(type(value)):
        for field in attrs.fields(type(value)):
            yield from _extras(getattr(value, field.name), f"{where}.{field.name}")
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from _extras(part, f"{where}.{key}")
    elif isinstance(value, list | tuple):
        for index, part in enumerate(value):
            yield from _extras(part, f"{where}[{index}]")
