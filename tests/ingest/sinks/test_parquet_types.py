"""Parquet keeps the types of Arrow rows and changes no value of others: what does not fit is refused by its field."""

from __future__ import annotations

import datetime as dt
import uuid
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from aiomlcommons.ingest.arrow_rows import rows_of
from aiomlcommons.ingest.errors import SinkError
from aiomlcommons.ingest.json_values import dumped
from aiomlcommons.ingest.sinks import ParquetSink
from aiomlcommons.ingest.sources import ArrowSource
from tests.support.row_values import NULLS_OF_FIXED_LISTS
from tests.support.sinks import documents, vectors, written

pa: Any = import_module("pyarrow")
pq: Any = import_module("pyarrow.parquet")

pytestmark = pytest.mark.asyncio

ZONE = dt.timezone(dt.timedelta(hours=2))
MAPS = pa.list_(pa.struct([("m", pa.map_(pa.string(), pa.decimal128(5, 1)))]))


def typed(kind: Any, *values: Any) -> Any:
    """Return an array; whole numbers are those that stand for a time in its unit."""
    if hasattr(kind, "unit") or pa.types.is_date(kind):
        short = pa.types.is_time32(kind) or pa.types.is_date32(kind)
        return pa.array(values, pa.int32() if short else pa.int64()).view(kind)
    return pa.array(values, kind)


ARRAYS = [
    typed(pa.map_(pa.string(), pa.int64()), [("k", 1)], [], None),
    typed(pa.map_(pa.int32(), pa.list_(pa.string())), [(1, ["a", None])], None),
    typed(MAPS, [{"m": [("a", Decimal("1.5"))]}], None, []),
    typed(pa.timestamp("ms", "UTC"), 1, None),
    typed(pa.timestamp("us"), -(10**17), None),
    typed(pa.timestamp("ns"), 123456789, None),
    typed(pa.timestamp("ns", "Europe/Berlin"), 2**62 + 1, None),
    typed(pa.time32("ms"), 1, None),
    typed(pa.time64("ns"), 1001, None),
    typed(pa.duration("s"), 10**15, None),
    typed(pa.duration("ns"), 1, None),
    typed(pa.date32(), 2**30, None),
    typed(pa.float16(), 0.1, None),
    typed(pa.float32(), float("nan"), 1.1, None),
    typed(pa.null(), None, None),
    typed(pa.decimal128(10, 2), Decimal("1.25"), None),
    typed(pa.decimal256(50, 2), Decimal(10) ** 40, None),
    typed(pa.dictionary(pa.int8(), pa.string()), "a", "b", None),
    typed(pa.large_string(), "a", "", None),
    typed(pa.large_binary(), b"a", None),
    typed(pa.binary(3), b"abc", None),
    typed(pa.list_(pa.int64(), 2), [1, 2**60], *([None] if NULLS_OF_FIXED_LISTS else [])),
    typed(pa.large_list(pa.int8()), [1], [], None),
    typed(pa.struct([("x", pa.int64()), ("y", pa.struct([("z", pa.uint8())]))]), {"x": 1, "y": {"z": 2}}, None),
    typed(pa.uint64(), 2**64 - 1, 0),
    typed(pa.int8(), -128, None),
    typed(pa.bool_(), True, None),
]
# The files of zones are read at the first value, which pandas before 3 does itself, wherever that is.
for array in ARRAYS:
    if getattr(array.type, "tz", None):
        array.to_pylist()


def table_of(array: Any) -> Any:
    fields = [pa.field("id", pa.string(), False, {b"note": b"of a field"}), pa.field("c", array.type)]
    ids = pa.array([str(i) for i in range(len(array))])
    return pa.table([ids, array], schema=pa.schema(fields, {b"note": b"of a table"}))


def shown(array: Any) -> str:
    """Return all digits of all values; what is under a null of a struct does not count."""
    return str(array.to_pylist() if pa.types.is_nested(array.type) else array)


@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: str(array.type))
async def test_an_arrow_column_is_copied_with_its_type_and_its_schema(tmp_path: Path, array: Any) -> None:
    table = table_of(array)
    rows = [row for batch in table.to_batches(max_chunksize=2) for row in rows_of(batch)]
    assert await written(ParquetSink(tmp_path / "out.parquet"), documents(rows, vectors(0, len(rows)))) == []
    found = pq.read_table(tmp_path / "out.parquet")
    assert found.column_names == ["id", "c", "embedding"]
    assert found.select(["id", "c"]).schema.equals(table.schema)
    assert shown(found.column("c").combine_chunks()) == shown(array)
    assert found.schema.metadata == table.schema.metadata
    assert found.schema.field("id").equals(table.schema.field("id"), check_metadata=True)


@pytest.mark.parametrize(
    ("array", "stored"),
    [
        (typed(pa.timestamp("s"), 1, None), pa.timestamp("ms")),
        (typed(pa.time32("s"), 1, None), pa.time32("ms")),
        (typed(pa.date64(), 86_400_000, None), pa.date32()),
        (typed(pa.dictionary(pa.int32(), pa.int64()), 1, 1), pa.int64()),
    ],
    ids=str,
)
async def test_a_type_that_parquet_does_not_have_is_the_one_that_it_gives_back(
    tmp_path: Path, array: Any, stored: Any
) -> None:
    rows = rows_of(table_of(array).to_batches()[0])
    assert await written(ParquetSink(tmp_path / "out.parquet"), documents(rows, vectors(0, 2))) == []
    found = pq.read_table(tmp_path / "out.parquet").column("c")
    assert (found.type, found.to_pylist()) == (stored, array.to_pylist())


@pytest.mark.parametrize(
    "array",
    [typed(pa.month_day_nano_interval(), (1, 2, 3)), typed(pa.struct([]), {})],
    ids=lambda array: str(array.type),
)
async def test_a_type_that_parquet_cannot_hold_is_refused_by_its_field(tmp_path: Path, array: Any) -> None:
    sink = ParquetSink(tmp_path / "out.parquet")
    (refused,) = sink.screen(["a"], rows_of(table_of(array).to_batches()[0]))
    assert refused.why.startswith(f"its field 'c' is {array.type}, which Parquet cannot hold")


async def test_columns_that_come_and_go_in_arrow_rows_may_be_null(tmp_path: Path) -> None:
    tables = [table_of(typed(pa.int32(), 1)), table_of(typed(pa.int64(), 2**40)), table_of(typed(pa.int8(), 3))]
    tables[2] = tables[2].drop_columns(["id"])
    rows = [row for table in tables for row in rows_of(table.to_batches()[0])]
    assert await written(ParquetSink(tmp_path / "out.parquet"), documents(rows, vectors(0, 3))) == []
    found = pq.read_table(tmp_path / "out.parquet")
    assert [(field.type, field.nullable) for field in found.schema][:2] == [(pa.string(), True), (pa.int64(), True)]
    assert (found["id"].to_pylist(), found["c"].to_pylist()) == (["0", "0", None], [1, 2**40, 3])


async def test_what_python_cannot_hold_of_arrow_is_exact_in_json_or_refused() -> None:
    kinds = [pa.time64("ns"), pa.timestamp("ns", "UTC"), pa.timestamp("us"), pa.timestamp("s"), pa.duration("s")]
    moments = [1001, 1001, -(10**17), 10**14, 10**15]
    rows = [rows_of(table_of(typed(kind, n)).to_batches()[0])[0] for kind, n in zip(kinds, moments, strict=True)]
    assert [orjson.loads(dumped(row))["c"].replace("Z", "+00:00") for row in rows[:3]] == [
        "00:00:00.000001001",
        "1970-01-01T00:00:00.000001001+00:00",
        "-1199-02-15T14:13:20.000000",
    ]
    for row in rows[3:]:
        with pytest.raises(TypeError, match=r"its field 'c' is of type .*Scalar, which JSON cannot hold"):
            dumped(row)


DAY, OLD = dt.datetime.fromisoformat("2026-01-02"), dt.datetime.fromisoformat("0001-01-01")
NS = np.datetime64("2026-01-01T00:00:00.123456789")
OBJECT = object()


@pytest.mark.parametrize(
    ("values", "fit"),
    [
        ([1, 1.5, None, 2**53], [1, 1.5, None, 2**53]),
        ([1.5, 2**53 + 1], [1.5]),
        ([2**53 + 1, 1.5, 2**60], [2**53 + 1, 2**60]),
        ([2**63, 1, -1, 2**64], [2**63, 1]),
        ([-1, 2**63], [-1]),
        ([True, 1, 0.5], [True]),
        ([1.5, True], [1.5]),
        ([Decimal("1.50"), 7, 2**60, 0.5], [Decimal("1.50"), 7, 2**60]),
        ([0.5, Decimal("0.1")], [0.5]),
        ([Decimal("NaN"), Decimal("1.5")], [None, Decimal("1.5")]),
        (["a", b"a", 1], ["a"]),
        ([b"a", "a"], [b"a"]),
        (["half \ud83d", "a"], ["a"]),
        ([dt.date(2026, 1, 2), DAY], [dt.date(2026, 1, 2)]),
        ([DAY, DAY.astimezone(ZONE)], [DAY]),
        ([dt.time(1), dt.time(1, tzinfo=dt.UTC)], [dt.time(1)]),
        ([OLD, NS], [OLD]),
        ([uuid.UUID(int=1), "a"], [uuid.UUID(int=1)]),
        ([{1, 2}, 1], [1]),
        ([{1: 2}, {"a": 1}], [{"a": 1}]),
        ([{"a": {"b": 1}}, {"a": {"b": "x"}}, {"a": None}, {}], [{"a": {"b": 1}}, {"a": None}, None]),
        ([[1], [1.5, None], [2**60], ["x"], []], [[1], [1.5, None], []]),
        ([[NS, 5], [1]], [[1]]),
        ([OBJECT, 1j, 1], [1]),
        ([np.int8(1), np.float32(1.5), np.bool_(True)], [1, 1.5]),
    ],
    # Without the address of an object, which is another one in each process that the tests are divided among.
    ids=lambda values: ", ".join("object" if value is OBJECT else str(value) for value in values)[:60],
)
async def test_a_value_of_python_is_unchanged_or_refused_by_its_field(tmp_path: Path, values: Any, fit: Any) -> None:
    rows = [{"id": str(i), "c": value} for i, value in enumerate(values)]
    screening, sink = ParquetSink(tmp_path / "screened.parquet"), ParquetSink(tmp_path / "out.parquet")
    refused = list(screening.screen([], rows))
    assert [one.index for one in await written(sink, documents(rows, vectors(0, len(rows))))] == [
        one.index for one in refused
    ]
    assert all("its field 'c" in one.why for one in refused), refused
    found = pq.read_table(tmp_path / "out.parquet")["c"].to_pylist()
    assert [without_nulls(value) for value in found] == [without_nulls(value) for value in fit]
    again = list(screening.screen([], rows))
    assert again == refused or [one.index for one in again] == [one.index for one in refused]


def without_nulls(value: Any) -> Any:
    """Return a value without the keys that are null, which are those that a row lacks."""
    if isinstance(value, dict):
        return {key: without_nulls(inner) for key, inner in value.items() if inner is not None} or None
    return value


async def test_levels_without_end_are_refused_and_crash_nothing(tmp_path: Path) -> None:
    deep: Any = 1
    for _ in range(5_000):
        deep = [deep]
    (refused,) = ParquetSink(tmp_path / "out.parquet").screen(["a"], [{"c": deep}])
    assert "is nested in more than 45 levels: flatten it" in refused.why


async def test_timestamps_of_pandas_keep_their_nanoseconds(tmp_path: Path) -> None:
    pandas: Any = pytest.importorskip("pandas")
    moments = [pandas.Timestamp("2026-01-01 00:00:00.000000007", tz="UTC"), pandas.NaT, pandas.NA]
    rows = [{"id": str(i), "c": value} for i, value in enumerate(moments)]
    assert await written(ParquetSink(tmp_path / "out.parquet"), documents(rows, vectors(0, 3))) == []
    assert pq.read_table(tmp_path / "out.parquet")["c"].to_pylist() == [moments[0], None, None]
    (refused,) = ParquetSink(tmp_path / "out.parquet").screen([], [{"c": pandas.Timedelta(7, "ns")}])
    assert refused.why.startswith("its field 'c' would become datetime.timedelta(0)")


async def test_a_resumed_file_has_the_types_of_rows_that_were_seen_but_not_written(tmp_path: Path) -> None:
    rows = [{"id": "a", "c": 1, "big": 2**60}, {"id": "b", "c": 0.5, "big": 1, "new": "x"}, {"id": "c", "big": 0.5}]
    sink = ParquetSink(tmp_path / "out.parquet")
    await sink.open(None)
    assert [one.index for one in sink.screen([], rows)] == [2]
    await sink.write(documents(rows[:1], vectors(0, 1)))
    state = orjson.loads(orjson.dumps(await sink.flush()))
    await sink.close(complete=False)
    sink = ParquetSink(tmp_path / "out.parquet")
    await sink.open(state)
    assert [one.index for one in sink.screen([], rows[1:])] == [1], "as before, although no whole number is seen"
    await sink.write(documents(rows[1:2], vectors(1, 1)))
    await sink.close(complete=True)
    found = pq.read_table(tmp_path / "out.parquet")
    assert found.schema.names == ["id", "c", "big", "new", "embedding"]
    assert (found["c"].to_pylist(), found["big"].to_pylist()) == ([1.0, 0.5], [2**60, 1])


async def test_a_state_of_an_earlier_version_is_refused_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match="was begun by an earlier version: remove the checkpoint to begin anew"):
        await ParquetSink(tmp_path / "out.parquet").open({"rows": 0})


async def test_rows_without_columns_are_rows(tmp_path: Path) -> None:
    assert await written(ParquetSink(tmp_path / "out.parquet"), documents([{}, {"embedding": 1}], vectors(0, 2))) == []
    assert pq.read_table(tmp_path / "out.parquet").num_rows == 2


async def test_the_keys_of_a_partitioned_folder_are_columns_of_their_types(tmp_path: Path) -> None:
    for year, place in ((2025, "a"), (2026, "b")):
        (tmp_path / f"in/year={year}/place={place}").mkdir(parents=True)
        pq.write_table(table_of(typed(pa.int8(), year - 2025)), tmp_path / f"in/year={year}/place={place}/f.parquet")
    rows: list[Any] = [row async for chunk in ArrowSource(tmp_path / "in").read() for row in chunk.rows]
    assert await written(ParquetSink(tmp_path / "out.parquet"), documents(rows, vectors(0, 2))) == []
    found = pq.read_table(tmp_path / "out.parquet")
    assert [(field.name, str(field.type)) for field in found.schema][:4] == [
        ("id", "string"),
        ("c", "int8"),
        ("year", "int32"),
        ("place", "string"),
    ]
    assert (found["year"].to_pylist(), found["place"].to_pylist()) == ([2025, 2026], ["a", "b"])
