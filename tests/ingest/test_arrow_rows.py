"""Rows of record batches, which become Python values when they are asked for: the same as if all were made at once."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiomlcommons.ingest.arrow_rows import ArrowRow, ArrowRows, rows_of

pa: Any = import_module("pyarrow")

BATCHES = st.lists(st.lists(st.sampled_from(["a", "b", None]), max_size=9), max_size=4)
CUTS = st.one_of(
    st.tuples(st.just("slice"), st.integers(-12, 12), st.integers(-12, 12), st.sampled_from([1, 1, 1, 2, -1])),
    st.tuples(st.just("take"), st.lists(st.integers(0, 40), max_size=12)),
    st.tuples(st.just("add"), BATCHES),
)


def batches_of(columns: list[list[Any]], begin: int = 0) -> list[Any]:
    return [
        pa.record_batch({"text": pa.array(one, pa.string()), "n": pa.array(range(begin, begin + len(one)), pa.int64())})
        for one in columns
    ]


@given(BATCHES, st.lists(CUTS, max_size=4), st.booleans())
@settings(deadline=None)  # the first one imports pyarrow
def test_any_part_has_the_rows_and_columns_of_a_list_of_rows(columns: Any, cuts: Any, made: bool) -> None:
    rows: Any = ArrowRows(batches_of(columns))
    expected: list[Any] = [dict(row) for batch in rows.batches for row in rows_of(batch)]
    for kind, *how in cuts:
        if made:
            list(map(dict, rows[:]))
            assert not expected or rows[-1] == expected[-1]
        if kind == "slice":
            rows, expected = rows[slice(*how)], expected[slice(*how)]
        elif kind == "take":
            chosen = [i for i in how[0] if i < len(expected)]
            rows, expected = rows.take(chosen), [expected[i] for i in chosen]
        else:
            more = ArrowRows(batches_of(how[0], 100))
            rows, expected = rows + more, [*expected, *map(dict, more)]
        assert isinstance(rows, ArrowRows)
    assert len(rows) == len(expected)
    assert list(rows) == expected
    assert [rows[i] for i in range(len(rows))] == expected
    for name in ("text", "n"):
        assert rows.column(name) == [row[name] for row in expected]
    assert rows.column("none") == (None if rows.batches else [])
    for row in rows:
        assert isinstance(row, ArrowRow)
        assert rows_of(row.batch.slice(row.index, 1)) == [row], "the place of its values"


def test_a_column_of_which_there_are_two_or_which_some_rows_lack_is_none() -> None:
    twice = pa.record_batch([pa.array([1]), pa.array([2])], ["a", "a"])
    assert ArrowRows([twice]).column("a") is None
    one, other = pa.record_batch({"a": [1]}), pa.record_batch({"b": [2]})
    assert ArrowRows([one, other]).column("a") is None
    others: list[dict[str, Any]] = [{"c": 3}]
    assert ArrowRows([one]) + others == [{"a": 1}, *others]


@pytest.mark.parametrize(("kind", "values"), [("string_view", ["a", None, "c"] * 4), ("binary_view", [b"a", b""] * 5)])
def test_rows_of_a_type_that_cannot_be_gathered_are_taken_too(kind: str, values: list[Any]) -> None:
    batch = pa.record_batch({"c": pa.array(values, getattr(pa, kind)())})
    chosen = [9, 1, 4, 2, 7, 7, 0]
    assert ArrowRows([batch]).take(chosen).column("c") == [values[i] for i in chosen]


def test_a_slice_that_ends_before_it_begins_is_empty() -> None:
    rows = ArrowRows(pa.table({"a": range(6)}).to_batches(max_chunksize=2))
    assert rows[5:2] == rows[3:1] == rows[-1:-4] == []
