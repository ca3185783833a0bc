"""Types of Arrow that hold the values of two others, and whether they hold them unchanged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from aiomlcommons.ingest.arrow_rows import pyarrow
from aiomlcommons.ingest.sinks.arrow_tables import Array, DataType, Misfit, Table, arrow

# The least and the largest whole number by path, times as nanoseconds.
Ranges: TypeAlias = "Mapping[str, tuple[int, int]]"
REMEDY = "give it one type in all rows, or write .jsonl"
_NANOSECONDS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
# Up to these a float of so many bits holds every whole number.
_WHOLE = {16: 1 << 11, 32: 1 << 24, 64: 1 << 53}
_INT64 = (1 << 63) - 1
# Digits of the longest whole number of 64 bits, and of the shorter decimals.
_DIGITS = 20
_DECIMAL128 = 38


def joined(name: str, known: DataType, new: DataType, ranges: Ranges) -> DataType:
    """Return a type that holds the values of both. Raises Misfit, which names the field."""
    pa = arrow()
    if (number := _number(known, new, ranges.get(name))) is not None:
        return number
    schemas = [pa.schema([(name, kind)]) for kind in (known, new)]
    try:
        both = pa.unify_schemas(schemas, promote_options="permissive").field(0).type
    except pa.ArrowException:
        raise _misfit(*_conflict(name, known, new)) from None
    before, after = (dict(_leaves(name, kind)) for kind in (known, new))
    for path, kind in _leaves(name, both):
        if path in before and path in after and not _is_kept(before[path], after[path], kind):
            raise _misfit(path, before[path], after[path])
    return both


def _number(known: DataType, new: DataType, numbers: tuple[int, int] | None) -> DataType | None:
    """Return the type for whole numbers with others for which Arrow's own choice is too narrow, else None."""
    pa = arrow()
    integers = [kind for kind in (known, new) if pa.types.is_integer(kind)]
    decimals = [kind for kind in (known, new) if pa.types.is_decimal(kind)]
    if integers and decimals:
        precision = max(decimals[0].precision, _DIGITS + decimals[0].scale)
        return (pa.decimal128 if precision <= _DECIMAL128 else pa.decimal256)(precision, decimals[0].scale)
    if len(integers) == 2 and pa.uint64() in integers:
        return pa.uint64() if numbers is None or numbers[0] >= 0 else pa.int64()
    return None


def check_kept(field: Any, ranges: Ranges) -> None:
    """Raise Misfit if a field is of a type that cannot hold all its whole numbers and times."""
    for path, kind in _leaves(field.name, field.type):
        if path in ranges and not _holds(kind, *ranges[path]):
            raise Misfit(
                f"its field {path!r} would change: {kind} is needed for all rows, and does not hold all of "
                f"{ranges[path][0]} to {ranges[path][1]}: {REMEDY}"
            )


def ranges_of(table: Table, known: Ranges) -> Ranges:
    """Return the ranges of a table, and those that are known."""
    found = dict(known)
    for name in table.column_names:
        for chunk in table.column(name).chunks:
            for path, least, most in _extremes(name, chunk):
                low, high = found.get(path, (least, most))
                found[path] = (min(low, least), max(high, most))
    return known if found == known else found


def _extremes(path: str, array: Array) -> Iterator[tuple[str, int, int]]:
    pa, kind = arrow(), array.type
    if pa.types.is_integer(kind) or hasattr(kind, "unit"):
        unit = _NANOSECONDS.get(getattr(kind, "unit", ""), 1)
        found = pyarrow("compute").compute.min_max(_as_integers(array))
        if found["min"].is_valid:
            yield path, found["min"].as_py() * unit, found["max"].as_py() * unit
    elif pa.types.is_struct(kind):
        for i, inner in enumerate(array.flatten()):
            yield from _extremes(f"{path}.{kind.field(i).name}", inner)
    elif pa.types.is_map(kind):
        begin, length = array.offsets[0].as_py(), array.offsets[-1].as_py() - array.offsets[0].as_py()
        yield from _extremes(f"{path}[key]", array.keys.slice(begin, length))
        yield from _extremes(f"{path}[]", array.items.slice(begin, length))
    elif hasattr(kind, "value_type") and hasattr(array, "flatten"):
        yield from _extremes(f"{path}[]", array.flatten())


def _as_integers(array: Array) -> Array:
    pa = arrow()
    if pa.types.is_integer(array.type):
        return array
    return array.view(pa.int32() if pa.types.is_time32(array.type) else pa.int64())


def _leaves(path: str, kind: DataType) -> Iterator[tuple[str, DataType]]:
    """Yield the types within a type that have no parts, by their paths."""
    pa = arrow()
    if pa.types.is_struct(kind):
        for i in range(kind.num_fields):
            yield from _leaves(f"{path}.{kind.field(i).name}", kind.field(i).type)
    elif pa.types.is_map(kind):
        yield from _leaves(f"{path}[key]", kind.key_type)
        yield from _leaves(f"{path}[]", kind.item_type)
    elif hasattr(kind, "value_type") and not pa.types.is_dictionary(kind):
        yield from _leaves(f"{path}[]", kind.value_type)
    else:
        yield path, kind


def _is_kept(known: DataType, new: DataType, both: DataType) -> bool:
    """Return whether both types are kept by the third, as far as types tell."""
    types = arrow().types
    for kind in (known, new):
        if types.is_decimal(kind) != types.is_decimal(both) and not types.is_null(kind):
            return False
        if "binary" in str(both) and not (types.is_null(kind) or "binary" in str(kind)):
            return False
    return True


def _holds(kind: DataType, least: int, most: int) -> bool:
    types, largest = arrow().types, max(-least, most)
    if types.is_floating(kind):
        return largest <= _WHOLE[int(kind.bit_width)]
    if unit := _NANOSECONDS.get(getattr(kind, "unit", "")):
        return largest // unit <= _INT64
    return most <= _INT64 if kind == arrow().int64() else True


def _conflict(path: str, known: DataType, new: DataType) -> tuple[str, DataType, DataType]:
    """Return the innermost place where two types differ."""
    before, after = dict(_leaves(path, known)), dict(_leaves(path, new))
    for inner in before.keys() & after.keys():
        if inner != path and not _can_join(before[inner], after[inner]):
            return inner, before[inner], after[inner]
    return path, known, new


def _can_join(known: DataType, new: DataType) -> bool:
    try:
        joined("", known, new, {})
    except Misfit:
        return False
    return True


def _misfit(path: str, known: DataType, new: DataType) -> Misfit:
    return Misfit(f"its field {path!r} is {new}, and {known} in rows before it: {REMEDY}")
