"""Dynamic mapping: the mapping of a new field by its value."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from aiomlcommons.emulator.errors import illegal
from aiomlcommons.emulator.indices.errors import bad_document
from aiomlcommons.emulator.indices.mappings import Mapped
from aiomlcommons.emulator.querying.errors import cause

DAY = re.compile(r"\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:?\d{2})?)?$")
SLASHED = re.compile(r"\d{4}/\d{2}/\d{2}( \d{2}:\d{2}:\d{2})?$")
WORDS: Mapped = {"type": "text", "fields": {"keyword": {"type": "keyword", "ignore_above": 256}}}
SLASHED_DATE: Mapped = {
    "type": "date",
    "format": "yyyy/MM/dd HH:mm:ss||yyyy/MM/dd||epoch_millis",
    "print_format": "yyyy/MM/dd HH:mm:ss",
}


def mapped(path: str, value: Any) -> Mapped | None:
    """Return the mapping of a new field; None for a value that says nothing, such as null or an empty list.

    Raises Refused where the values of a list would make it a field of different types.
    """
    specs = [spec for item in _items(value) if (spec := _of(item)) is not None]
    for spec in specs[1:]:
        check_alike(path, specs[0], spec)
    return specs[0] if specs else None


def check_alike(path: str, was: Mapped, now: Mapped) -> None:
    """Raise Refused where a document makes one field with two mappings."""
    before, after = (spec.get("type", "object") for spec in (was, now))
    if before == after:
        return
    if "object" in {before, after}:
        raise illegal(f"can't merge a non object mapping [{path}] with an object mapping")
    raise illegal(f"mapper [{path}] cannot be changed from type [{before}] to [{after}]")


def _items(value: Any) -> list[Any]:
    return [inner for item in value for inner in _items(item)] if isinstance(value, list) else [value]


def _of(value: Any) -> Mapped | None:
    if value is None:
        return None
    if isinstance(value, Mapping):
        return {"type": "object"}
    if isinstance(value, bool):
        return {"type": "boolean"}
    if isinstance(value, int | float):
        return {"type": "long" if isinstance(value, int) else "float"}
    return {"type": "date"} if DAY.match(value) else SLASHED_DATE if SLASHED.match(value) else WORDS


def parts(name: str) -> Sequence[str]:
    """Return the parts of a field's name, which dots divide. Raises Refused for a name that no field may have."""
    if not name:
        raise _bad_name("field name cannot be an empty string")
    found = name.rstrip(".").split(".") if name.strip(".") else []  # what dots end is without them
    if not found:
        raise _bad_name("field name cannot contain only the character [.]")
    if "" in found:
        raise _bad_name(f"object field starting or ending with a [.] makes object resolution ambiguous: [{name}]")
    return found


def _bad_name(reason: str) -> Exception:
    return bad_document("failed to parse", cause("illegal_argument_exception", reason))
