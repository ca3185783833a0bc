"""CSV files: rows, bad rows, and resuming at a position."""

from __future__ import annotations

import asyncio
import csv
import gzip
import io
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiomlcommons.ingest.sources import CsvSource, SourceError
from aiomlcommons.ingest.sources import csv as csv_source
from aiomlcommons.ingest.types import BadRow
from tests.support.sources import batches_of, check_positions, read_one, rows_of

CELL = st.text(st.sampled_from('ab,"\n\r é;'), max_size=6)
ROW = st.lists(CELL, min_size=1, max_size=4)


def written(path: Path, data: bytes, delimiter: str = ",") -> CsvSource:
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return CsvSource(path, delimiter)


@pytest.mark.asyncio
async def test_each_record_is_a_row_by_the_names_in_the_header(tmp_path: Path) -> None:
    source = written(tmp_path / "a.csv", b'\xef\xbb\xbfid,text\r\n1,"two\nlines, ""quoted"""\r\n\r\n2,\xc3\xa4\r\n')
    assert await rows_of(source) == [{"id": "1", "text": 'two\nlines, "quoted"'}, {"id": "2", "text": "ä"}]
    assert source.name == str(tmp_path / "a.csv")
    assert await source.count() is None


@pytest.mark.asyncio
async def test_a_bad_record_names_its_place_and_reading_goes_on(tmp_path: Path) -> None:
    lines = [b"id,text", b"1", b"2,b,c", b'3,"x"y', b"4,\xff", b"5,fine", b'6,"torn']
    rows = await rows_of(written(tmp_path / "a.csv", b"\n".join(lines)))
    assert rows[4] == {"id": "5", "text": "fine"}
    bad = [(row.why, row.where.rpartition("a.csv, ")[2]) for row in rows if isinstance(row, BadRow)]
    assert bad == [
        ("1 cells under a header of 2", "line 2"),
        ("3 cells under a header of 2", "line 3"),
        ("not CSV: ',' expected after '\"'", "line 4"),
        ("not UTF-8", "line 5"),
        ("not CSV: unexpected end of data", "line 7"),
    ]
    assert [row.raw for row in rows if isinstance(row, BadRow)][1] == "2,b,c"


@pytest.mark.asyncio
async def test_a_quote_that_nobody_closes_spoils_only_what_is_near(tmp_path: Path) -> None:
    data = b'id,text\n0,"open\n' + b"".join(b"%d,%0100d\n" % (n, n) for n in range(1, 5000))
    rows = await rows_of(written(tmp_path / "a.csv", data))
    assert isinstance(rows[0], BadRow)
    assert rows[0].where.endswith("line 2")
    assert "field larger than field limit" in rows[0].why
    assert rows[-1] == {"id": "4999", "text": f"{4999:0100d}"}
    assert len(rows) > 3000


@settings(max_examples=80, deadline=None)
@given(records=st.lists(ROW, max_size=25), size=st.integers(1, 5), ending=st.sampled_from(["", ".gz"]))
def test_reading_on_from_any_position_gives_exactly_the_rest(
    tmp_path_factory: pytest.TempPathFactory, records: list[list[str]], size: int, ending: str
) -> None:
    path = tmp_path_factory.mktemp("records") / f"a.csv{ending}"
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows([["a", "b"], *records])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_source, "ROWS_AT_ONCE", size)
        rows = asyncio.run(check_positions(lambda: written(path, text.getvalue().encode())))
    assert len(rows) == len(records)
    for row, record in zip(rows, records, strict=True):
        assert isinstance(row, BadRow) == (len(record) != 2)
        assert isinstance(row, BadRow) or list(row.values()) == record


@settings(max_examples=80, deadline=None)
@given(data=st.text(st.sampled_from('ab,"\n\r'), max_size=60), size=st.integers(1, 4))
def test_reading_on_in_whatever_stands_there_gives_exactly_the_rest(
    tmp_path_factory: pytest.TempPathFactory, data: str, size: int
) -> None:
    path = tmp_path_factory.mktemp("anything") / "a.csv"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_source, "BYTES_AT_ONCE", size)
        asyncio.run(check_positions(lambda: written(path, b"a,b\n" + data.encode())))


@pytest.mark.asyncio
async def test_cells_may_be_divided_by_something_else(tmp_path: Path) -> None:
    assert await rows_of(written(tmp_path / "a.tsv", b"a\tb\n1,2\t3\n", "\t")) == [{"a": "1,2", "b": "3"}]


@pytest.mark.asyncio
@pytest.mark.parametrize("data", [b"", b"a,b\n", b"\n\n"])
async def test_a_file_without_records_has_no_rows(tmp_path: Path, data: bytes) -> None:
    assert await rows_of(written(tmp_path / "a.csv", data)) == []


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"a,b,a\n1,2,3\n", "the header of .*a.csv has 'a' more than once"),
        (b'"a"b,c\n1,2\n', "the header of .*a.csv cannot be read"),
    ],
)
async def test_a_bad_header_is_refused(tmp_path: Path, data: bytes, words: str) -> None:
    with pytest.raises(SourceError, match=words):
        await rows_of(written(tmp_path / "a.csv", data))


@pytest.mark.asyncio
@pytest.mark.parametrize("ending", ["", ".gz"])
async def test_a_file_that_is_shorter_than_the_position_is_refused(tmp_path: Path, ending: str) -> None:
    with pytest.raises(SourceError, match=r"a\.csv.* has 8 bytes, and was read to byte 900 before"):
        await rows_of(written(tmp_path / f"a.csv{ending}", b"a,b\n1,2\n"), [900, 60, 0], 59)


@pytest.mark.asyncio
async def test_another_file_under_the_same_name_is_refused(tmp_path: Path) -> None:
    first = written(tmp_path / "a.csv", b"a\n" + b"one\n" * 2000)
    second = (await batches_of(first))[1]
    assert (second.start, second.share) == (1000, 1.0)
    with pytest.raises(SourceError, match=r"a\.csv has changed before byte 4,002 since it was read"):
        await rows_of(written(tmp_path / "a.csv", b"a\n" + b"two\n" * 2000), second.position, second.start)


@pytest.mark.asyncio
async def test_leaving_early_closes_the_file(tmp_path: Path) -> None:
    assert len((await read_one(written(tmp_path / "a.csv", b"a\n" + b"x\n" * 5000))).rows) == 1000
