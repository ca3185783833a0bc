"""Several files as one source: lists, globs and folders."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aiomlcommons.errors import InvalidRequest
from aiomlcommons.ingest import ArrowSource, FilesSource, IterableSource, SourceError
from aiomlcommons.ingest.sources import jsonl, open_source
from aiomlcommons.ingest.sources.traits import once_only, options_of, reads
from aiomlcommons.ingest.types import BadRow, Source
from tests.support.sources import batches_of, check_positions, rows_of

pa: Any = pytest.importorskip("pyarrow")
pq: Any = pytest.importorskip("pyarrow.parquet")


def lines(first: int, count: int) -> bytes:
    return b"".join(b'{"n": %d}\n' % n for n in range(first, first + count))


def opened(what: Any) -> Source:
    """Open a source as a job does, in a thread."""
    return asyncio.run(asyncio.to_thread(open_source, what))


def rows(source: Source) -> list[Any]:
    return asyncio.run(rows_of(source))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Five files of four formats, with the rows 0 to 2,499 in the order of their names; one of them is empty."""
    folder = tmp_path / "data"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.jsonl").write_bytes(lines(0, 1500))
    (folder / "b.csv").write_bytes(b"n\n" + b"".join(b"%d\n" % n for n in range(1500, 1510)))
    (folder / "c.jsonl.gz").write_bytes(gzip.compress(lines(1510, 490)))
    (folder / "d.jsonl").touch()
    pq.write_table(pa.table({"n": range(2000, 2500)}), folder / "sub" / "e.parquet", row_group_size=200)
    return folder


def numbers(found: list[Any]) -> list[int]:
    return [int(row["n"]) for row in found]


@pytest.mark.parametrize(
    "what",
    [
        lambda folder: [folder / name for name in ("c.jsonl.gz", "a.jsonl", "b.csv", "sub/e.parquet", "d.jsonl")],
        lambda folder: str(folder / "**" / "*.*"),
        lambda folder: FilesSource([f"{folder}/*.*", str(folder / "sub")]),
    ],
    ids=["a list", "a glob", "a glob and a folder"],
)
def test_several_files_are_read_in_the_order_of_their_names_and_read_on_anywhere(
    folder: Path, what: Callable[[Path], Any]
) -> None:
    source = opened(what(folder))
    assert numbers(asyncio.run(check_positions(lambda: source))) == list(range(2500))


def test_the_share_that_is_read_goes_by_the_bytes_of_all_files(folder: Path) -> None:
    shares = [batch.share for batch in asyncio.run(batches_of(opened(str(folder / "*.*"))))]
    assert shares == sorted(share for share in shares if share is not None)
    assert shares[-1] == 1


def test_rows_are_counted_where_every_file_tells_them(folder: Path) -> None:
    pq.write_table(pa.table({"n": [1]}), folder / "sub" / "f.parquet")
    assert asyncio.run(opened(str(folder / "sub" / "*")).count()) == 501
    assert asyncio.run(opened(str(folder / "**" / "*.*")).count()) is None


def test_a_file_that_came_or_went_is_an_error_on_reading_on(folder: Path) -> None:
    source = opened(str(folder / "*.jsonl*"))
    batches = asyncio.run(batches_of(source))
    position = json.loads(json.dumps(batches[-1].position))
    (folder / "b.jsonl").write_bytes(lines(0, 1))
    with pytest.raises(SourceError, match=r"are 4 files, and were 3 others .* begin anew without the checkpoint"):
        asyncio.run(rows_of(source, position, batches[-1].start))
    (folder / "b.jsonl").unlink()
    (folder / "c.jsonl.gz").unlink()
    with pytest.raises(SourceError, match=r"cannot resume in .*c\.jsonl\.gz: that file does not exist any more"):
        asyncio.run(rows_of(source, position, batches[-1].start))
    with pytest.raises(SourceError, match="which is not a position in it"):
        asyncio.run(rows_of(source, [1], 1))


def test_a_file_that_changed_is_an_error_that_names_it(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonl, "BYTES_AT_ONCE", 1 << 10)
    source = opened(str(folder / "*.jsonl"))
    batches = asyncio.run(batches_of(source))
    (folder / "a.jsonl").write_bytes(lines(7, 1490))
    with pytest.raises(SourceError, match=r"a\.jsonl has changed before byte"):
        asyncio.run(rows_of(source, batches[3].position, batches[3].start))


def test_a_line_and_a_file_that_are_bad_name_themselves(folder: Path) -> None:
    (folder / "b.jsonl").write_bytes(b"nonsense\n")
    found = rows(opened(str(folder / "*.jsonl")))
    assert isinstance(found[1500], BadRow)
    assert found[1500].where == f"{folder / 'b.jsonl'}, line 1"
    (folder / "sub" / "f.parquet").write_bytes(b"nonsense")
    with pytest.raises(SourceError, match=r"f\.parquet"):
        rows(opened(str(folder / "sub" / "*")))
    (folder / "g.jsonl.gz").write_bytes(gzip.compress(lines(0, 9))[:-9])
    with pytest.raises(SourceError, match=r"g\.jsonl\.gz"):
        rows(opened(str(folder / "*.gz")))


def test_options_are_those_of_every_file(tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("n;m\n1;2\n")
    for source in (open_source(tmp_path / "*.csv", delimiter=";"), open_source([tmp_path / "*"], delimiter=";")):
        assert rows(source) == [{"n": "1", "m": "2"}] * 2
        assert options_of(source) == {"delimiter": ";"}
    (tmp_path / "c.jsonl").touch()
    with pytest.raises(InvalidRequest, match=r"c\.jsonl cannot be read with delimiter"):
        open_source(tmp_path / "*", delimiter=";")
    assert options_of(open_source(tmp_path / "*.csv")) is None


def test_what_names_no_file_or_one_twice_or_one_of_no_format_is_refused(folder: Path) -> None:
    (folder / "empty").mkdir()
    (folder / "readme.me").touch()
    for what, error, words in (
        (f"{folder}/*.ndjson", FileNotFoundError, r"no file matches: .*\*\.ndjson"),
        (folder / "empty", FileNotFoundError, "no file of data in the folder: .*empty"),
        ([folder / "no.jsonl"], FileNotFoundError, r"no\.jsonl"),
        ([folder / "a.jsonl", folder / "*.jsonl"], InvalidRequest, r"a\.jsonl is named twice"),
        (f"{folder}/*", InvalidRequest, r"cannot read .*readme\.me: name it \.jsonl"),
    ):
        with pytest.raises(error, match=words):
            opened(what)


def test_the_files_of_a_folder_are_of_one_format(folder: Path) -> None:
    with pytest.raises(
        InvalidRequest, match=r"has files of several formats \(\.csv, \.jsonl, \.parquet\): give a glob"
    ):
        opened(folder)
    for name in ("b.csv", "sub/e.parquet"):
        (folder / name).unlink()
    for name in ("README.md", "_SUCCESS", ".hidden.jsonl", "dataset_info.json"):
        (folder / name).touch()
    assert numbers(rows(opened(folder))) == [*range(1500), *range(1510, 2000)]
    (folder / "more.json").write_bytes(b"[]")
    with pytest.raises(InvalidRequest, match=r"files of several formats \(\.json, \.jsonl\)"):
        opened(folder)


def test_a_folder_of_parquet_files_may_have_words_about_them(tmp_path: Path) -> None:
    for name in ("README.md", "dataset_info.json", "_SUCCESS", ".part-0.crc"):
        (tmp_path / name).write_text("words")
    (tmp_path / "year=2021").mkdir()
    pq.write_table(pa.table({"n": [1]}), tmp_path / "year=2021" / "a.parquet")
    source = opened(tmp_path)
    assert isinstance(source, ArrowSource)
    assert rows(source) == [{"n": 1, "year": 2021}]


def test_strings_in_a_list_are_texts_and_names_of_files_are_refused_as_such() -> None:
    for texts in (["a", "b"], ["see a.jsonl", "b.csv"], ["1.5", "e.g. this"], ["readme", "license"], []):
        assert isinstance(open_source(texts), IterableSource)
    for names in (["a.jsonl", "b.csv.gz"], ("data/x.parquet",), ["s3://bucket/a.jsonl"]):
        with pytest.raises(InvalidRequest, match=r"looks like a file.*: give Path objects, or FilesSource"):
            open_source(names)


def test_a_file_whose_name_is_that_of_a_glob_is_that_file(tmp_path: Path) -> None:
    (tmp_path / "a[1].jsonl").write_bytes(lines(0, 2))
    assert numbers(rows(opened(tmp_path / "a[1].jsonl"))) == [0, 1]


def test_names_are_the_paths_or_the_first_of_them() -> None:
    assert FilesSource("*.jsonl").name == "*.jsonl"
    assert FilesSource([f"{n}.csv" for n in range(9)]).name == "0.csv, 1.csv, 2.csv and 6 more"


@pytest.mark.parametrize(
    ("what", "name", "expected"),
    [
        ("*.jsonl", "a.jsonl", True),
        ("*.jsonl", "new.dead.jsonl", True),
        ("*.jsonl", "new.csv", False),
        ("*.jsonl", "sub/new.jsonl", False),
        ("**/*.jsonl", "new.jsonl", True),
        ("**/*.jsonl", "sub/deep/new.jsonl", True),
        ("s*", "sub/new.jsonl", False),
        ("sub", "sub/deep/new.jsonl", True),
        ("sub", "new.jsonl", False),
        ("a.jsonl", "a.jsonl", True),
        ("a.jsonl", "a.jsonl.part", False),
    ],
)
def test_the_files_that_are_read_or_would_be_are_known(folder: Path, what: str, name: str, expected: bool) -> None:
    source = FilesSource([str(folder / what), "memory://d/*.jsonl"])
    assert reads(source, str(folder / name)) == expected


def test_files_can_be_read_twice_unless_one_is_a_pipe(folder: Path) -> None:
    assert not once_only(FilesSource(folder / "*.jsonl"))
    os.mkfifo(folder / "pipe.jsonl")
    assert once_only(FilesSource(folder / "*.jsonl"))
    assert reads(ArrowSource(folder / "sub"), str(folder / "sub" / "new.parquet"))
