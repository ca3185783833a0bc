"""Rows of values of all kinds, from Python and from Arrow, and what is right for each in JSON and in Parquet."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from decimal import Decimal
from importlib import import_module
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

# They have no type hints.
pa: Any = import_module("pyarrow")
# Arrow before 26 cannot read a null among them from a Parquet file.
NULLS_OF_FIXED_LISTS = int(pa.__version__.partition(".")[0]) >= 26
pd: Any = import_module("pandas")

ZONES = st.sampled_from([None, dt.UTC, dt.timezone(dt.timedelta(hours=-5))])
# JSON holds these, and so does a column of them.
PLAIN: Mapping[str, SearchStrategy[Any]] = {
    "whole": st.integers(-(2**53), 2**53),
    "long": st.integers(-(2**63), 2**63 - 1),
    "float": st.floats(allow_nan=False, allow_infinity=False),
    "boolean": st.booleans(),
    "text": st.text(max_size=4),
}
SINGLE: Mapping[str, SearchStrategy[Any]] = {
    **PLAIN,
    "endless": st.integers(-(2**80), 2**80),
    "any float": st.floats(),
    "decimal": st.decimals(-1000, 1000, places=2) | st.just(Decimal("1E+3")),
    "any decimal": st.decimals(),
    "date": st.dates(),
    "moment": st.datetimes(timezones=ZONES),
    "time": st.times(timezones=ZONES),
    "uuid": st.uuids(),
    "half a character": st.text(st.characters(), max_size=2) | st.just("\ud83d"),
    "bytes": st.binary(max_size=3),
    "duration": st.timedeltas(),
    "numpy": st.sampled_from([np.int8(5), np.uint64(2**64 - 1), np.float32(1.1), np.bool_(True), np.arange(3)]),
    "numpy time": st.sampled_from([np.datetime64("2026-01-02T03:04:05.123456789"), np.datetime64("NaT", "ns")]),
    "pandas": st.sampled_from([pd.NA, pd.NaT, pd.Timestamp("2026-01-02 03:04:05.000000007", tz="UTC")]),
    "no value": st.sampled_from([{1}, 1j, object(), {1: 2}, {None: "a"}]),
}
NAMES = "pqr"


def nested(leaves: SearchStrategy[Any]) -> SearchStrategy[Any]:
    """Generate the leaves, lists and mappings of them."""
    leaves = st.none() | leaves
    return st.recursive(
        leaves,
        lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("xyz"), inner, max_size=2),
        max_leaves=3,
    )


@st.composite
def python_rows(draw: Any, kinds: Mapping[str, SearchStrategy[Any]] = SINGLE) -> list[dict[str, Any]]:
    """Generate rows whose columns are each of one kind of values or of two."""
    columns: dict[str, SearchStrategy[Any]] = {}
    for name in NAMES:
        chosen = draw(st.lists(st.sampled_from(sorted(kinds)), min_size=1, max_size=2))
        column = st.one_of(*(kinds[kind] for kind in chosen))
        columns[name] = nested(column) if draw(st.booleans()) else column
    row = st.fixed_dictionaries({}, optional=columns)
    return [{**values, "id": f"d{i}", "text": f"text {i}"} for i, values in enumerate(draw(st.lists(row, max_size=6)))]


def _whole(bits: int, kind: Any) -> SearchStrategy[Any]:
    """Generate arrays of whole numbers, which stand for values of a type in its unit."""
    most = 2 ** (bits - 1) - 1
    numbers = st.none() | st.integers(-most, most)
    raw = pa.int32() if bits == 32 else pa.int64()
    return st.lists(numbers, min_size=3, max_size=3).map(lambda values: pa.array(values, raw).view(kind))


def _of(kind: Any, values: SearchStrategy[Any]) -> SearchStrategy[Any]:
    return st.lists(st.none() | values, min_size=3, max_size=3).map(lambda chosen: pa.array(chosen, kind))


TEXT, INT = st.text(max_size=3), st.integers(-(2**63), 2**63 - 1)
ARROW: Sequence[SearchStrategy[Any]] = (
    *(_whole(64, pa.timestamp(unit, zone)) for unit in ("ms", "us", "ns") for zone in (None, "UTC", "Europe/Berlin")),
    *(_whole(64, pa.duration(unit)) for unit in ("s", "ms", "us", "ns")),
    _whole(32, pa.date32()),
    _of(pa.time64("ns"), st.integers(0, 86_399_999_999_999)),
    _of(pa.int64(), INT),
    _of(pa.uint64(), st.integers(0, 2**64 - 1)),
    _of(pa.int8(), st.integers(-128, 127)),
    _of(pa.float64(), st.floats()),
    _of(pa.float32(), st.floats(width=32)),
    _of(pa.float16(), st.floats(width=16)),
    _of(pa.bool_(), st.booleans()),
    _of(pa.null(), st.none()),
    _of(pa.decimal128(10, 2), st.decimals(-10000, 10000, places=2)),
    _of(pa.decimal256(60, 0), st.integers(-(10**59), 10**59).map(Decimal)),
    *(_of(kind, TEXT) for kind in (pa.string(), pa.large_string(), pa.dictionary(pa.int8(), pa.string()))),
    *(_of(kind, st.binary(min_size=2, max_size=2)) for kind in (pa.binary(), pa.large_binary(), pa.binary(2))),
    *(_of(kind(pa.int64()), st.lists(INT, max_size=2)) for kind in (pa.list_, pa.large_list)),
    *([_of(pa.list_(pa.int64(), 2), st.lists(INT, min_size=2, max_size=2))] if NULLS_OF_FIXED_LISTS else []),
    _of(pa.map_(pa.string(), pa.int64()), st.dictionaries(TEXT, INT, max_size=2).map(lambda d: list(d.items()))),
    _of(pa.struct([("x", pa.int64()), ("y", pa.list_(pa.string()))]), st.fixed_dictionaries({"x": INT})),
)


@st.composite
def tables(draw: Any) -> Any:
    """Generate tables of three rows with columns of any types."""
    columns = {name: draw(st.one_of(*ARROW)) for name in NAMES}
    ids, texts = ([f"{word}{i}" for i in range(3)] for word in ("d", "text "))
    return pa.table({"id": ids, "text": texts, **columns})


# ---- what is right ---------------------------------------------------------------------------------------------------


class NoJson(Exception):
    """JSON has no form for a value."""


def in_json(value: Any) -> Any:
    """Return what a JSON reader with exact numbers reads for a value. Raises NoJson."""
    if value is None or value is pd.NA or value is pd.NaT or isinstance(value, bool | int):
        return value if isinstance(value, bool | int) else None
    if isinstance(value, np.datetime64):
        return None if np.isnat(value) else str(value)
    if hasattr(value, "tolist"):  # of numpy
        return in_json(float(str(value)) if type(value) is np.float32 else value.tolist())
    if isinstance(value, float | Decimal):
        return value if Decimal(value).is_finite() else None
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, str | uuid.UUID):
        if any("\ud800" <= letter <= "\udfff" for letter in str(value)):
            raise NoJson
        return str(value)
    return _parts_in_json(value)


def _parts_in_json(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [in_json(item) for item in value]
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise NoJson
    return {key: in_json(item) for key, item in value.items()}


def is_read(wanted: Any, read: Any) -> bool:
    """Return whether a JSON value is the one that ``in_json`` returned; numbers are read as int and Decimal."""
    if isinstance(wanted, dict):
        return (
            isinstance(read, dict) and wanted.keys() == read.keys() and all(is_read(wanted[k], read[k]) for k in read)
        )
    if isinstance(wanted, list):
        return isinstance(read, list) and len(read) == len(wanted) and all(map(is_read, wanted, read))
    if isinstance(wanted, float):
        return type(read) in {int, Decimal} and float(read) == wanted
    if isinstance(wanted, Decimal):
        return type(read) in {int, Decimal} and read == wanted
    return type(wanted) is type(read) and wanted == read


def is_kept(given: Any, found: Any) -> bool:
    """Return whether Parquet gave back a value of Python; a key that is missing is null, and so is an empty mapping."""
    if _is_null(given) or _is_null(found):
        return _is_null(given) and _is_null(found)
    if isinstance(given, np.datetime64):
        return bool(given == pd.Timestamp(found).to_datetime64())
    if hasattr(given, "tolist"):  # of numpy
        return is_kept(given.tolist(), found)
    if isinstance(given, dict) and isinstance(found, dict):
        return all(is_kept(given.get(key), found.get(key)) for key in {*given, *found})
    if isinstance(given, list) and isinstance(found, list):
        return len(given) == len(found) and all(map(is_kept, given, found))
    if isinstance(given, int | float | Decimal) and not isinstance(given, bool):
        number = isinstance(found, int | float | Decimal) and not isinstance(found, bool)
        return number and (given == found or (given != given and found != found))
    if isinstance(given, dt.datetime):
        return isinstance(found, dt.datetime) and (given.tzinfo is None, given) == (found.tzinfo is None, found)
    return type(given) is type(found) and given == found


def _is_null(value: Any) -> bool:
    if isinstance(value, Decimal):
        return not value.is_finite()
    if isinstance(value, dict):
        return all(map(_is_null, value.values())) and all(isinstance(key, str) for key in value)
    return value is None or value is pd.NA or value is pd.NaT or (isinstance(value, np.datetime64) and np.isnat(value))
