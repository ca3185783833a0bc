"""JSON changes no value: what comes back equals what went in, or the error names the field, the type and a remedy."""

from __future__ import annotations

import datetime as dt
import json
import uuid
from collections import namedtuple
from decimal import Decimal
from enum import Enum, IntEnum
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from aiomlcommons.ingest.json_values import DEEPEST, NotJson, dumped, dumped_anyhow, loaded

Point = namedtuple("Point", "x")
UTC = dt.UTC


def nested(levels: int, *, named: bool = False) -> Any:
    """Return a value in this many lists or mappings."""
    value: Any = 1
    for _ in range(levels):
        value = {"a": value} if named else [value]
    return value


class Colour(Enum):
    RED = Decimal("1.50")


class Big(IntEnum):
    HUGE = 2**70


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (12345678901234567890123, "12345678901234567890123"),
        (-(2**63) - 1, "-9223372036854775809"),
        ([2**64, {"n": -(2**64)}], '[18446744073709551616,{"n":-18446744073709551616}]'),
        (np.array([1, "a", 2**70], object), '[1,"a",1180591620717411303424]'),
        (Big.HUGE, "1180591620717411303424"),
        (True, "true"),
        (Decimal("9.990"), "9.990"),
        (Decimal("1E+400"), "1E+400"),
        (Decimal("-0"), "-0"),
        (Decimal("NaN"), "null"),
        (Decimal("-Infinity"), "null"),
        (Colour.RED, "1.50"),
        (float("nan"), "null"),
        (np.float32(1.1), "1.1"),
        (np.float16(1.5), "1.5"),
        (np.uint64(2**64 - 1), "18446744073709551615"),
        (np.bool_(False), "false"),
        (np.arange(6).reshape(2, 3)[:, ::2], "[[0,2],[3,5]]"),
        (np.array([1.5], ">f8"), "[1.5]"),
        (np.array(7), "7"),
        (np.array("a"), '"a"'),
        (np.datetime64("2026-01-02T03:04:05.123456789"), '"2026-01-02T03:04:05.123456789"'),
        (np.array(["2026-01-02", "NaT"], "M8[ns]"), '["2026-01-02T00:00:00.000000000",null]'),
        (dt.datetime(2026, 1, 2, 3, tzinfo=dt.timezone(dt.timedelta(hours=2))), '"2026-01-02T03:00:00+02:00"'),
        (dt.date(2026, 1, 2), '"2026-01-02"'),
        (dt.time(1, 2, 3), '"01:02:03"'),
        (dt.time(0, 0, 0, 10_000), '"00:00:00.010000"'),
        (dt.time(1, tzinfo=UTC), '"01:00:00+00:00"'),
        (uuid.UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
        (MappingProxyType({"a": MappingProxyType({"b": 1})}), '{"a":{"b":1}}'),
        ({np.str_("a"): np.str_("b")}, '{"a":"b"}'),
        ((1, (2,)), "[1,[2]]"),
    ],
    ids=repr,
)
def test_a_value_is_written_as_it_is(value: Any, text: str) -> None:
    assert dumped({"field": value}).decode() == f'{{"field":{text}}}' == dumped_anyhow({"field": value}).decode()


def test_missing_values_of_pandas_are_null() -> None:
    pandas = pytest.importorskip("pandas")
    assert dumped({"values": [pandas.NA, pandas.NaT, pandas.Timestamp("2026-01-02 00:00:00.000000001")]}) == (
        b'{"values":[null,null,"2026-01-02T00:00:00.000000001"]}'
    )


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (
            {"price": b"x"},
            "its field 'price' is of type bytes, which JSON cannot hold: decode it, or encode it as base64",
        ),
        ({"meta": {"tags": [1, 2, {3}]}}, "'meta.tags[2]' is of type set, which JSON cannot hold: make it a list"),
        (
            {"n": 2**70, "took": dt.timedelta(1)},
            "'took' is of type datetime.timedelta, .*: make it a number of seconds",
        ),
        ({"a": np.array([b"a"], object)}, r"'a\[0\]' is of type bytes"),
        ({"a": [10**5000]}, r"'a\[0\]' has more digits than Python writes: make it text"),
        ({"a": 1j}, "'a' is of type complex, which JSON cannot hold: make it text, a number, a list or a mapping"),
        ({"a": Point(1)}, "'a' is of type .*Point"),
        ({"a": {1: "one"}}, "'a.1' has a name of type int: JSON has only text as names"),
        ({None: 1}, "'None' has a name of type NoneType"),
        ({"a": ["half \ud83d"]}, r"'a\[0\]' has a lone surrogate: it is not valid Unicode"),
        ({"half \ud83d": 1}, r"'half \\ud83d' has a name with a lone surrogate"),
        ({"a": nested(DEEPEST + 9)}, r"'a(\[0\])+.*\.\.\.' is nested in more than 250 levels: flatten it"),
        ({"a": nested(9_000, named=True)}, r"'a(\.a)+.*\.\.\.' is nested in more than 250 levels"),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, str) else None,
)
def test_what_json_cannot_hold_is_named_by_its_path(row: Any, why: str) -> None:
    with pytest.raises(NotJson, match=why.replace("tags[2]", r"tags\[2\]")):
        dumped(row)
    assert json.loads(dumped_anyhow(row)), "and is kept as text where that is better than nothing"


def test_a_class_whose_repr_fails_is_kept_by_its_name() -> None:
    class Broken:
        def __repr__(self) -> str:
            raise OverflowError

    assert b"Broken>" in dumped_anyhow({"a": Broken()})


def test_what_is_nested_less_deeply_is_written() -> None:
    assert json.loads(dumped({"a": nested(DEEPEST - 1), "n": 2**70})) == {"a": nested(DEEPEST - 1), "n": 2**70}


@pytest.mark.parametrize("number", [2**63, -(2**64), 12345678901234567890123, -(10**400) - 1, 0.1, 1e308, 1e25])
def test_a_whole_number_is_read_as_it_is_written_and_every_other_one_as_a_double(number: float) -> None:
    found = loaded(dumped({"n": [number], "text": "1234567890123456789012"}))
    assert found == {"n": [number], "text": "1234567890123456789012"}
    assert type(found["n"][0]) is type(number)


def test_digits_in_a_text_are_left_alone() -> None:
    escaped = rb'{"n": 12345678901234567890123, "text": "\u00411234567890123456789\\u1234567890123456789"}'
    assert loaded(escaped) == {"n": 12345678901234567890123, "text": "A1234567890123456789\\u1234567890123456789"}


@pytest.mark.parametrize(
    "data",
    [
        b"1e400",
        b"-1%s.5" % (b"0" * 400),
        b"1" + b"0" * 5000,
        b"[12345678901234567890123, NaN]",
        b'[12345678901234567890123, "\\ud800"]',
        b"[012345678901234567890123]",
        b"[12345678901234567890123, %s]" % (b"[" * 3000 + b"]" * 3000),
    ],
)
def test_what_is_no_strict_json_or_too_much_for_python_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        loaded(data)
