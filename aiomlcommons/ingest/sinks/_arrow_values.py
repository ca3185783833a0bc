"""Arrays of Arrow from Python values, whose types are inferred, and in which no value is changed."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from decimal import Decimal
from enum import Enum
from itertools import chain
from types import NoneType
from typing import Any

import numpy as np

from aiomlcommons.inference.words import is_missing
from aiomlcommons.ingest.sinks.arrow_tables import Array, Misfit, arrow

# Arrow keeps these as they are, if all of a column are of one type.
_KEPT = {str, int, float, bool, bytes, Decimal, dt.date, dt.timedelta}
# A file of more levels cannot be read, and pyarrow crashes on thousands.
DEEPEST = 45


def array_of(name: str, values: Sequence[Any]) -> Array:
    """Return the array of a column. Raises Misfit, which names the field, if a value would be changed or is unknown.

    It raises it for values of several types too, which are to be tried one by one: what Arrow makes of them depends on
    which of them it sees at once.
    """
    if _are_of_types(values, _KEPT, DEEPEST):
        try:
            return arrow().array(values)
        except (arrow().ArrowException, OverflowError, ValueError, TypeError):
            pass  # long numbers, text that is not Unicode: the way that names the field
    plain = [_plain(value, name, DEEPEST) for value in values]
    # pyarrow crashes where times of numpy are beside others.
    if not _are_of_types(plain, None, DEEPEST) and (len(values) > 1 or _have_numpy_times(plain)):
        raise Misfit(f"its field {name!r} has values of several types")
    array = _inferred(name, plain)
    for before, after in zip(plain, _values(name, array), strict=True):
        for path in _changed(before, after, name):
            raise Misfit(f"its field {path!r} would become {_short(after)}, as the column is {array.type}")
    return array


def _are_of_types(values: Sequence[Any], types: Collection[type] | None, levels: int) -> bool:
    """Return whether the values, and those within them at each place, are of one type each, of these or any."""
    kinds = set(map(type, values)) - {NoneType}
    if not kinds or kinds <= {int, float}:
        return True
    if len(kinds) > 1 or not levels:
        return False
    (kind,) = kinds
    present = [value for value in values if value is not None]
    if kind is list:
        return _are_of_types(list(chain.from_iterable(present)), types, levels - 1)
    if kind is dict:
        return all(present) and all(_are_of_types(each, types, levels - 1) for each in _by_key(present))
    if kind is np.ndarray:
        return len({value.dtype for value in present}) == 1 and all(value.ndim == 1 for value in present)
    if kind is dt.datetime:
        return len({value.tzinfo for value in present}) == 1
    return types is None or kind in types


def _have_numpy_times(value: Any) -> bool:
    if isinstance(value, dict | list):
        return any(map(_have_numpy_times, value.values() if isinstance(value, dict) else value))
    return isinstance(value, np.datetime64 | np.timedelta64)


def _by_key(values: Sequence[dict[Any, Any]]) -> Iterator[list[Any]]:
    found: defaultdict[str, list[Any]] = defaultdict(list)
    for value in values:
        for key, item in value.items():
            found[key].append(item)
    yield from found.values()


def _inferred(name: str, values: list[Any]) -> Array:
    pa = arrow()
    try:
        array = pa.array(values)
        precise = pa.types.is_timestamp(array.type) and any(getattr(value, "nanosecond", 0) for value in values)
        # pandas.Timestamp, which is inferred to have microseconds
        return pa.array(values, pa.timestamp("ns", array.type.tz)) if precise else array
    except OverflowError:
        return _unsigned(name, values)
    except (pa.ArrowException, ValueError, TypeError) as error:
        raise Misfit(f"its field {name!r} has no type in Arrow: {error}") from None


def _values(name: str, array: Array) -> list[Any]:
    try:
        values: list[Any] = array.to_pylist()
    except (OverflowError, ValueError) as error:
        raise Misfit(f"its field {name!r} cannot be read back from {array.type}: {error}") from None
    return values


def _unsigned(name: str, values: list[Any]) -> Array:
    pa = arrow()
    try:
        return pa.array(values, pa.uint64())
    except (pa.ArrowException, OverflowError, ValueError, TypeError):
        why = "holds a whole number of more than 64 bits: make it a Decimal or text, or write .jsonl"
        raise Misfit(f"its field {name!r} {why}") from None


def _plain(value: Any, path: str, levels: int) -> Any:
    """Return a value with mappings as dicts and arrays as lists; what is missing, and an empty mapping, is None."""
    if _is_missing(value):
        return None
    if isinstance(value, np.generic) and not isinstance(value, np.datetime64 | np.timedelta64):
        return value.item()
    if isinstance(value, Enum):
        return _plain(value.value, path, levels)
    if isinstance(value, set | frozenset):
        raise Misfit(f"its field {path!r} is a set, which has no order: make it a list")
    if not isinstance(value, Mapping | list | tuple | np.ndarray) or (isinstance(value, np.ndarray) and not value.ndim):
        return value
    if not levels:
        raise Misfit(f"its field {path[:80]!r} is nested in more than {DEEPEST} levels: flatten it")
    if isinstance(value, Mapping):
        return _plain_items(value, path, levels - 1) or None  # Parquet has no struct without fields
    return [_plain(item, f"{path}[{i}]", levels - 1) for i, item in enumerate(value)]


def _plain_items(value: Mapping[Any, Any], path: str, levels: int) -> dict[str, Any]:
    for key in value:
        if not isinstance(key, str):
            raise Misfit(f"its field {path!r} has a name of type {type(key).__name__}: columns have only text as names")
    return {key: _plain(item, f"{path}.{key}", levels) for key, item in value.items()}


def _is_missing(value: Any) -> bool:
    if isinstance(value, Decimal):
        return not value.is_finite()
    return is_missing(value) and not isinstance(value, float | np.floating)


def _changed(before: Any, after: Any, path: str) -> Iterator[str]:
    """Yield the paths of values that Arrow changed. A key that is missing is the same as None."""
    if isinstance(before, dict) and isinstance(after, dict):
        for key in {**before, **after}:
            yield from _changed(before.get(key), after.get(key), f"{path}.{key}")
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for i, (one, other) in enumerate(zip(before, after, strict=True)):
            yield from _changed(one, other, f"{path}[{i}]")
    elif not _is_same(before, after):
        yield path


def _is_same(before: Any, after: Any) -> bool:
    if isinstance(before, np.datetime64 | np.timedelta64):
        return True  # with a unit, of which Arrow has the same
    if isinstance(before, bytearray | memoryview):
        before = bytes(before)
    kinds: tuple[type, ...] = (bool, str, bytes, dt.datetime)
    if any(isinstance(before, kind) != isinstance(after, kind) for kind in kinds):
        return False
    if isinstance(before, dt.datetime | dt.time) and (before.tzinfo is None) != (after.tzinfo is None):
        return False
    return bool(before == after or (before != before and after != after))  # NaN


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:80]}..."
