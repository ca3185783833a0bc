"""The source that is chosen for a path or an object."""

from __future__ import annotations

import asyncio
import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aiomlcommons import Session
from aiomlcommons.errors import InvalidRequest
from aiomlcommons.ingest.sources import (
    ArrowSource,
    CsvSource,
    IndexSource,
    IterableSource,
    JsonlSource,
    JsonSource,
    StdinSource,
    open_source,
)
from tests.support.jobs import Memory
from tests.support.sources import rows_of


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("-", StdinSource()),
        ("a.jsonl", JsonlSource(Path("a.jsonl"))),
        ("a.NDJSON.gz", JsonlSource(Path("a.NDJSON.gz"))),
        (Path("x/a.jsonl.zst"), JsonlSource(Path("x/a.jsonl.zst"))),
        ("a.json", JsonSource(Path("a.json"))),
        ("a.JSON.xz", JsonSource(Path("a.JSON.xz"))),
        ("a.csv.bz2", CsvSource(Path("a.csv.bz2"))),
        ("a.tsv.xz", CsvSource(Path("a.tsv.xz"), "\t")),
        ("a.parquet", ArrowSource(Path("a.parquet"))),
        ("a.arrow", ArrowSource(Path("a.arrow"), format="arrow")),
        ("a.feather", ArrowSource(Path("a.feather"), format="arrow")),
        ("folder", ArrowSource(Path("folder"))),
    ],
)
def test_the_ending_of_a_path_says_what_it_is(
    path: Any, source: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("x").mkdir()
    Path("folder").mkdir()
    Path("folder/a.parquet").touch()
    if path not in {"-", "folder"}:
        Path(path).touch()
    opened = open_source(path)
    assert opened == source
    assert opened.name == str(path)


@pytest.mark.parametrize("path", ["a.txt", "a.xlsx", "a.parquet.gz", "a.gz", Path("a.zip")])
def test_any_other_ending_is_refused(path: Any) -> None:
    with pytest.raises(InvalidRequest, match=rf"cannot read {path}: name it \.jsonl"):
        open_source(path)


@pytest.mark.parametrize("path", ["no.jsonl", "no/a.csv.gz", "no.parquet", Path("no.arrow"), "no"])
def test_a_file_that_is_not_there_is_named_before_it_is_read(path: Any) -> None:
    with pytest.raises(FileNotFoundError, match=f"No such file or directory: '{path}'"):
        open_source(path)


@pytest.mark.parametrize("name", ["fold.v1", "fold.csv", "fold", "fold.jsonl.gz"])
def test_a_folder_is_one_of_parquet_files_whatever_its_name(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "part").touch()
    assert open_source(tmp_path / name) == ArrowSource(tmp_path / name)


@pytest.mark.parametrize(
    ("path", "options", "source"),
    [
        ("a.csv", {"delimiter": ";", "header": False}, CsvSource(Path("a.csv"), ";", header=False)),
        ("a.tsv.gz", {"quoting": "minimal"}, CsvSource(Path("a.tsv.gz"), "\t", "minimal")),
        ("a.tsv", {"delimiter": "|"}, CsvSource(Path("a.tsv"), "|")),
        ("a.jsonl", {"encoding": "latin-1"}, JsonlSource(Path("a.jsonl"), "latin-1")),
        ("-", {"encoding": "utf-16"}, StdinSource(encoding="utf-16")),
    ],
)
def test_how_a_file_is_read_may_be_told(
    path: str, options: dict[str, Any], source: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(path).touch()
    opened = open_source(path, **options)
    assert opened == source
    assert getattr(opened, "options", None) == {**({"delimiter": "\t"} if ".tsv" in path else {}), **options}


@pytest.mark.parametrize(
    ("what", "named"),
    [("a.jsonl", "a.jsonl"), ("a.parquet", "a.parquet"), ("-", "-"), ([{"a": 1}], "a source of type list")],
)
def test_an_option_of_another_kind_of_source_is_refused(
    what: Any, named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a.jsonl", "a.parquet"):
        Path(name).touch()
    with pytest.raises(InvalidRequest, match=f"^{named} cannot be read with delimiter: .* are for .csv and .tsv files"):
        open_source(what, delimiter=";")


@pytest.mark.asyncio
async def test_the_values_of_a_column_are_texts() -> None:
    pandas, pa = pytest.importorskip("pandas"), pytest.importorskip("pyarrow")
    for column in (
        pandas.Series(["a", "b"]),
        np.array(["a", "b"]),
        pa.array(["a", "b"]),
        pa.chunked_array([["a"], ["b"]]),
    ):
        assert await rows_of(open_source(column)) == [{"text": "a"}, {"text": "b"}]
        assert await rows_of(IterableSource([column].pop)) == [{"text": "a"}, {"text": "b"}]


@pytest.mark.asyncio
async def test_the_named_index_of_a_frame_is_a_column_and_a_missing_cell_is_null() -> None:
    pandas: Any = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"id": [7, 8, 9], "text": ["a", None, float("nan")]})
    expected = [{"id": 8, "text": None}, {"id": 9, "text": None}]
    assert await rows_of(open_source(frame[frame.id > 7])) == expected
    assert await rows_of(open_source(frame.set_index("id")[1:])) == expected


def test_a_frame_that_arrow_cannot_hold_is_refused_with_another_way() -> None:
    pandas: Any = pytest.importorskip("pandas")
    mixed, twice = pandas.DataFrame({"a": [1, "x"]}), pandas.DataFrame([[1, 2]], columns=["a", "a"])
    for frame, words in (
        (mixed, r"column a .*give its rows, such as frame\.to_dict\('records'\)"),
        (twice, "Duplicate"),
    ):
        with pytest.raises(InvalidRequest, match=words):
            asyncio.run(rows_of(open_source(frame)))


@pytest.mark.asyncio
async def test_a_function_may_return_a_frame_anew() -> None:
    pandas: Any = pytest.importorskip("pandas")
    source = IterableSource(lambda: pandas.DataFrame({"a": [1, 2], "b": ["x", "y"]}))
    assert await rows_of(source, None, 1) == [{"a": 2, "b": "y"}]


def test_a_source_stays_itself() -> None:
    for source in (Memory([]), IndexSource(Session(), "books"), JsonlSource("a.txt")):
        assert open_source(source) is source


def test_what_pyarrow_made_is_read_by_it() -> None:
    pa: Any = pytest.importorskip("pyarrow")
    table = pa.table({"a": [1]})
    assert isinstance(open_source(table), ArrowSource)
    assert isinstance(open_source(pytest.importorskip("pyarrow.dataset").dataset(table)), ArrowSource)


def test_rows_and_what_makes_them_are_read_as_they_are() -> None:
    several: tuple[Any, ...] = ([{"a": 1}], iter([]), list)
    for rows in several:
        assert isinstance(open_source(rows), IterableSource)
    for wrong in (7, None, b"a.jsonl", {"a": 1}):
        with pytest.raises(InvalidRequest):
            open_source(wrong)


@pytest.mark.asyncio
async def test_a_data_frame_is_read_by_rows_and_not_by_the_names_of_its_columns() -> None:
    pandas: Any = pytest.importorskip("pandas")
    assert await rows_of(open_source(pandas.DataFrame({"a": [1, 2]}))) == [{"a": 1}, {"a": 2}]


@pytest.mark.asyncio
async def test_a_reader_that_can_be_read_once_is_refused() -> None:
    pa: Any = pytest.importorskip("pyarrow")
    with pytest.raises(InvalidRequest, match="RecordBatchReader can be read once only"):
        await rows_of(open_source(pa.table({"a": [1]}).to_reader()))


@pytest.mark.asyncio
async def test_a_folder_of_a_dotted_name_is_a_folder(tmp_path: Path) -> None:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    folder = tmp_path / "v1.parquet"
    folder.mkdir()
    pq.write_table(pa.table({"a": [1]}), folder / "part.parquet")
    assert await rows_of(await asyncio.to_thread(open_source, folder)) == [{"a": 1}]


@pytest.mark.asyncio
async def test_the_same_rows_come_from_every_kind_of_file(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(b'{"id": "1", "text": "a"}\n'))
    (tmp_path / "a.csv").write_text("id,text\n1,a\n")
    for name in ("a.jsonl.gz", "a.csv"):
        assert await rows_of(open_source(str(tmp_path / name))) == [{"id": "1", "text": "a"}]
