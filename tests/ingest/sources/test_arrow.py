"""Parquet and Arrow: files, folders, datasets, tables, and resuming at a position."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiomlcommons.errors import InvalidRequest
from aiomlcommons.ingest.sources import ArrowSource, SourceError
from aiomlcommons.ingest.sources import arrow as arrow_source
from tests.support.sources import batches_of, check_positions, read_one, rows_of

pa: Any = pytest.importorskip("pyarrow")
ds: Any = pytest.importorskip("pyarrow.dataset")
feather: Any = pytest.importorskip("pyarrow.feather")
pq: Any = pytest.importorskip("pyarrow.parquet")
SCHEMA = pa.schema([("n", pa.int64()), ("text", pa.string())])


def table(first: int, count: int) -> Any:
    numbers = range(first, first + count)
    return pa.table({"n": list(numbers), "text": [f"text {n}" for n in numbers]}, SCHEMA)


def expected(first: int, count: int) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = table(first, count).to_pylist()
    return rows


@settings(max_examples=40, deadline=None)
@given(counts=st.lists(st.integers(0, 12), min_size=1, max_size=4), group=st.integers(1, 7), size=st.integers(1, 5))
def test_reading_on_in_parquet_files_from_any_position_gives_exactly_the_rest(
    tmp_path_factory: pytest.TempPathFactory, counts: list[int], group: int, size: int
) -> None:
    folder = tmp_path_factory.mktemp("parquet")
    for i, count in enumerate(counts):
        pq.write_table(table(sum(counts[:i]), count), folder / f"part-{i}.parquet", row_group_size=group)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(arrow_source, "ROWS_AT_ONCE", size)
        rows = asyncio.run(check_positions(lambda: ArrowSource(folder)))
    assert rows == expected(0, sum(counts))


@settings(max_examples=20, deadline=None)
@given(count=st.integers(0, 30), size=st.integers(1, 9))
def test_reading_on_in_arrow_files_and_tables_gives_exactly_the_rest(
    tmp_path_factory: pytest.TempPathFactory, count: int, size: int
) -> None:
    path = tmp_path_factory.mktemp("arrow") / "a.arrow"
    feather.write_feather(table(0, count), path, chunksize=4)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(arrow_source, "ROWS_AT_ONCE", size)
        for data in (path, table(0, count), ds.dataset(path, format="feather")):
            rows = asyncio.run(check_positions(lambda data=data: ArrowSource(data, format="arrow")))  # type: ignore[misc]
            assert rows == expected(0, count)


@pytest.mark.asyncio
async def test_a_position_in_a_later_file_does_not_open_the_files_before_it(tmp_path: Path) -> None:
    for i in range(3):
        pq.write_table(table(10 * i, 10), tmp_path / f"{i}.parquet", row_group_size=5)
    positions = [rows.position for rows in await batches_of(ArrowSource(ds.dataset(tmp_path)))]
    size = (tmp_path / "1.parquet").stat().st_size
    assert [(Path(file).name, *rest) for file, *rest in positions[2:4]] == [
        ("1.parquet", 0, 0, size),
        ("1.parquet", 1, 0, size),
    ]
    dataset = ds.dataset(tmp_path)
    (tmp_path / "0.parquet").write_bytes(b"spoiled")
    assert await rows_of(ArrowSource(dataset), positions[3], 15) == expected(15, 15)


@pytest.mark.asyncio
async def test_a_folder_of_partitions_has_their_values_as_columns(tmp_path: Path) -> None:
    for year in (2021, 2020):
        (tmp_path / f"year={year}").mkdir()
        pq.write_table(pa.table({"text": ["a"]}), tmp_path / f"year={year}" / "x.parquet")
    assert await rows_of(ArrowSource(tmp_path)) == [{"text": "a", "year": 2020}, {"text": "a", "year": 2021}]


@pytest.mark.asyncio
async def test_files_need_not_have_the_same_columns(tmp_path: Path) -> None:
    for name, row in (("a", {"n": 1}), ("b", {"n": "two", "text": "b"}), ("c", {"n": None, "text": "c"})):
        pq.write_table(pa.Table.from_pylist([row]), tmp_path / f"{name}.parquet")
    assert await rows_of(ArrowSource(tmp_path)) == [{"n": 1}, {"n": "two", "text": "b"}, {"n": None, "text": "c"}]
    assert await rows_of(ArrowSource(tmp_path, columns=["n"])) == [{"n": 1}, {"n": "two"}, {"n": None}]


@pytest.mark.asyncio
async def test_a_filtered_dataset_is_refused_and_not_read_without_its_filter(tmp_path: Path) -> None:
    pq.write_table(table(0, 20), tmp_path / "a.parquet")
    with pytest.raises(SourceError, match="Remove the filtering"):
        await rows_of(ArrowSource(ds.dataset(tmp_path).filter(ds.field("n") >= 11)))


@pytest.mark.asyncio
async def test_rows_are_counted_without_reading_them(tmp_path: Path) -> None:
    pq.write_table(table(0, 50), tmp_path / "a.parquet")
    assert await ArrowSource(tmp_path / "a.parquet").count() == 50
    assert await ArrowSource(table(0, 7)).count() == 7
    (tmp_path / "a.csv").write_text("a\n1\n")
    assert await ArrowSource(ds.dataset(tmp_path / "a.csv", format="csv")).count() is None


@pytest.mark.asyncio
async def test_only_the_columns_that_are_asked_for_are_read(tmp_path: Path) -> None:
    pq.write_table(table(0, 2), tmp_path / "a.parquet")
    assert await rows_of(ArrowSource(tmp_path / "a.parquet", columns=["n"])) == [{"n": 0}, {"n": 1}]
    with pytest.raises(InvalidRequest, match=r"a\.parquet has no column 'body'"):
        await rows_of(ArrowSource(tmp_path / "a.parquet", columns=["n", "body"]))


@pytest.mark.asyncio
async def test_what_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "bad.parquet").write_bytes(b"nonsense")
    for reading in (rows_of(ArrowSource(tmp_path / "bad.parquet")), ArrowSource(tmp_path / "bad.parquet").count()):
        with pytest.raises(SourceError, match=r"bad\.parquet cannot be read"):
            await reading
    with pytest.raises(FileNotFoundError, match=r"none\.parquet"):
        await rows_of(ArrowSource(tmp_path / "none.parquet"))


@pytest.mark.asyncio
async def test_a_file_that_is_spoiled_in_the_middle_is_an_error_and_no_shorter_file(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(table(0, 5000), path, row_group_size=1000, compression="gzip")
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 2000] = bytes(2000)
    path.write_bytes(data)
    with pytest.raises(SourceError, match=r"a\.parquet: reading failed"):
        await rows_of(ArrowSource(path))


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("position", "words"),
    [
        (["other", 0, 0, "{size}"], "cannot resume in other: that file does not exist any more"),
        (["{file}", 9, 0, "{size}"], "has 2 row groups, and was read to row group 9 before"),
        (["{file}", 1, 90, "{size}"], "row group 1 of .*a.parquet has 5 rows, and was read to row 90 before"),
        (["{file}", 0, 0, 4321], "a.parquet has .* bytes, and had 4,321 when it was read: was it replaced"),
        ([1], "which is not a position in it"),
    ],
)
async def test_files_that_are_not_those_of_the_position_are_refused(
    tmp_path: Path, position: list[Any], words: str
) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(table(0, 10), path, row_group_size=5)
    known = {"{file}": str(path), "{size}": path.stat().st_size}
    position = [known.get(part, part) for part in position]
    with pytest.raises(SourceError, match=words):
        await rows_of(ArrowSource(path), position, 5)


@pytest.mark.asyncio
async def test_leaving_early_closes_the_files(tmp_path: Path) -> None:
    pq.write_table(table(0, 100_000), tmp_path / "a.parquet", row_group_size=10_000)
    feather.write_feather(table(0, 100_000), tmp_path / "a.arrow", chunksize=10_000)
    for source in (ArrowSource(tmp_path / "a.parquet"), ArrowSource(tmp_path / "a.arrow", format="arrow")):
        assert len((await read_one(source)).rows) == 1024


@pytest.mark.asyncio
async def test_names_are_the_path_the_kind_or_the_label() -> None:
    assert [ArrowSource("a.parquet").name, ArrowSource(table(0, 1)).name] == ["a.parquet", "Table"]
    assert ArrowSource(table(0, 1), label="books").name == "books"


@pytest.mark.asyncio
@pytest.mark.parametrize("module", ["dataset", "parquet"])
async def test_without_pyarrow_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str) -> None:
    pq.write_table(table(0, 2), tmp_path / "a.parquet")
    monkeypatch.setitem(sys.modules, f"pyarrow.{module}", None)
    with pytest.raises(ImportError, match=r"pip install 'aiomlcommons\[arrow\]'"):
        await rows_of(ArrowSource(tmp_path / "a.parquet"))
