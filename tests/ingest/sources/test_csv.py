"""CSV files: rows, bad rows, and resuming at a position."""

from __future__ import annotations

import asyncio
import codecs
import csv
import gzip
import io
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiomlcommons.errors import InvalidRequest
from aiomlcommons.ingest.sources import CsvSource, SourceError, open_source
from aiomlcommons.ingest.sources import _csv_reader as csv_source
from aiomlcommons.ingest.sources._encoding import Encoding
from aiomlcommons.ingest.types import BadRow
from tests.support.sources import batches_of, check_positions, read_one, rows_of

CELL = st.text(st.sampled_from('ab,"\n\r é;'), max_size=6)
ROW = st.lists(CELL, min_size=1, max_size=4)


def written(path: Path, data: bytes, delimiter: str | None = None) -> CsvSource:
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return CsvSource(path, delimiter=delimiter)


def decodings(patch: pytest.MonkeyPatch) -> list[bytes]:
    """Return a list of all lines that are decoded from now on."""
    decoded: list[bytes] = []

    def decode(_: Encoding, data: bytes) -> str:
        decoded.append(data)
        return data.decode()

    patch.setattr(Encoding, "decode", decode)
    return decoded


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
        ("not CSV: ',' expected after a closing quote", "line 4"),
        ("not UTF-8: name the encoding of the file", "line 5"),
        ("not CSV: a quote is opened and not closed", "line 7"),
    ]
    assert [row.raw for row in rows if isinstance(row, BadRow)] == ["1", "2,b,c", '3,"x"y', "4,\ufffd", '6,"torn']


@pytest.mark.asyncio
async def test_a_quote_that_nobody_closes_is_one_bad_row_and_the_next_line_is_read(tmp_path: Path) -> None:
    data = b'id,text\n0,"open\n' + b"".join(b"%d,%0100d\n" % (n, n) for n in range(1, 5000))
    bad, *rows = await rows_of(written(tmp_path / "a.csv", data))
    assert bad == BadRow("not CSV: a quote is opened and not closed", f"{tmp_path / 'a.csv'}, line 2", '0,"open')
    assert rows == [{"id": str(n), "text": f"{n:0100d}"} for n in range(1, 5000)]


@pytest.mark.asyncio
async def test_each_of_many_stray_quotes_is_one_bad_row_and_no_line_is_read_often(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded = decodings(monkeypatch)
    lines = [b'%d,%stext %d ""\n' % (n, b'"' * (n % 4 == 3), n) for n in range(8000)]
    rows = await rows_of(written(tmp_path / "a.csv", b"id,text\n" + b"".join(lines)))
    assert [n for n, row in enumerate(rows) if isinstance(row, BadRow)] == list(range(3, 8000, 4))
    assert [row["id"] for row in rows if not isinstance(row, BadRow)] == [str(n) for n in range(8000) if n % 4 != 3]
    assert len(decoded) < 3 * len(lines)


@pytest.mark.asyncio
async def test_an_open_quote_does_not_read_the_whole_file_into_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_source, "LONGEST_RECORD", 1000)
    monkeypatch.setattr(csv_source, "READ_AT_ONCE", 100)
    decoded = decodings(monkeypatch)
    rows = await rows_of(written(tmp_path / "a.csv", b'id,text\n0,"open\n' + b"1,one\n" * 5000))
    assert [type(row) for row in rows] == [BadRow] + [dict] * 5000
    assert sum(map(len, decoded)) < 2000 + 5000 * 6


@pytest.mark.asyncio
async def test_a_cell_may_be_long_and_the_limit_of_the_csv_module_stays_what_it_was(tmp_path: Path) -> None:
    before = csv.field_size_limit()
    long = "a line, and " * 30_000 + '\n"another"'
    source = written(
        tmp_path / "a.csv", f'id,text\n1,{"x" * 500_000}\n2,"{long.replace(chr(34), chr(34) * 2)}"\n'.encode()
    )
    assert await rows_of(source) == [{"id": "1", "text": "x" * 500_000}, {"id": "2", "text": long}]
    assert csv.field_size_limit() == before


@pytest.mark.asyncio
async def test_a_record_of_several_lines_with_a_wrong_number_of_cells_is_one_bad_row(tmp_path: Path) -> None:
    bad, row = await rows_of(written(tmp_path / "a.csv", b'id,text\n1,"a\nb, c\nd",x\n2,b\n'))
    why, where = "3 cells under a header of 2", f"{tmp_path / 'a.csv'}, lines 2 to 4"
    assert (bad, row) == (BadRow(why, where, '1,"a\nb, c\nd",x'), {"id": "2", "text": "b"})


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("a,b\r1,x\r2,y\r", ["1x", "2y"]),
        ("a,b\r\n1,x\r\n\r\n2,y\r\r\n", ["1x", "2y"]),
        ("a,b\n1,x\r2,y\n3,z\r\n", ["1x", "2y", "3z"]),
        ("a,b\r1,x\n2,y\n", ["1x", "2y"]),
        ('"a","b"\r"1","x"\r"2","y"\n"3","z"', ["1x", "2y", "3z"]),
        ("a,b\n1,one\rtwo\n2,y", ["1one\rtwo", "2y"]),
        ('a,b\n1,"one\rtwo\r\n"\n2,y', ["1one\rtwo\r\n", "2y"]),
        ("a,b\n1,\0x\n2,y\u2028\x0b\x85z\n", ["1\0x", "2y\u2028\x0b\x85z"]),
    ],
)
async def test_any_line_ends_are_understood_and_text_that_is_none_stays(
    tmp_path: Path, text: str, rows: list[str]
) -> None:
    found = await rows_of(written(tmp_path / "a.csv", text.encode()))
    assert ["".join(row.values()) if isinstance(row, dict) else row for row in found] == rows


@pytest.mark.asyncio
async def test_a_line_that_a_carriage_return_breaks_is_one_bad_row(tmp_path: Path) -> None:
    found = await rows_of(written(tmp_path / "a.csv", b"a,b\n1,x\r2,y,\n3,z\n"))
    assert [row.raw if isinstance(row, BadRow) else row for row in found] == ["1,x\r2,y,", {"a": "3", "b": "z"}]


@pytest.mark.asyncio
async def test_quotes_are_text_in_a_file_with_tabs_unless_they_enclose_its_names(tmp_path: Path) -> None:
    lines = b'id\ttext\n1\t"open\n2\t"Hear," he said\n3\tan 8" pipe\n'
    texts = [{"id": "1", "text": '"open'}, {"id": "2", "text": '"Hear," he said'}, {"id": "3", "text": 'an 8" pipe'}]
    (tmp_path / "a.tsv").write_bytes(lines)
    assert await rows_of(open_source(tmp_path / "a.tsv")) == texts
    assert await rows_of(written(tmp_path / "a.csv", lines)) == texts
    enclosed = CsvSource(written(tmp_path / "b.csv", b'"id"\t"text"\n1\t"a\tb"\n').path)
    assert await rows_of(enclosed) == [{"id": "1", "text": "a\tb"}]
    assert await rows_of(CsvSource(tmp_path / "b.csv", quoting="none", delimiter="\t")) == [
        BadRow("3 cells under a header of 2", f"{tmp_path / 'b.csv'}, line 2", '1\t"a\tb"')
    ]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("data", "row"),
    [
        (b"a;b\n1,5;x\n", {"a": "1,5", "b": "x"}),
        (b"a|b\n1,5|x\n", {"a": "1,5", "b": "x"}),
        (b"sep=;\r\na,x;b\r\n1,5;x\r\n", {"a,x": "1,5", "b": "x"}),
        (b'"a;x",b\n1,2\n', {"a;x": "1", "b": "2"}),
        (b"a;b,c\n1,2\n", {"a;b": "1", "c": "2"}),
        (b"a;b|c\nx\n", {"a;b|c": "x"}),
        (b'"a,x";"b"\n1,5;"x;y"\n', {"a,x": "1,5", "b": "x;y"}),
    ],
)
async def test_the_header_tells_the_delimiter_where_that_is_certain(
    tmp_path: Path, data: bytes, row: dict[str, str]
) -> None:
    (tmp_path / "a.csv").write_bytes(data)
    assert await rows_of(open_source(tmp_path / "a.csv")) == [row]


@pytest.mark.asyncio
async def test_a_file_may_have_no_header(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b"\xef\xbb\xbf1,x\n2,y\n")
    assert (await rows_of(CsvSource(path, header=False)))[0] == {"column_1": "1", "column_2": "x"}
    path.write_bytes(b'\n1,"open\n"2\n","x"\n')
    spoiled, row = await rows_of(CsvSource(path, header=False))
    assert (type(spoiled), row) == (BadRow, {"column_1": "2\n", "column_2": "x"})
    path.write_bytes(b"\xef\xbb\xbf1,x\n2,y\n")
    named = await check_positions(lambda: CsvSource(path, header=["id", "text"]))
    assert named == [{"id": "1", "text": "x"}, {"id": "2", "text": "y"}]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "encoding", ["utf-8-sig", "utf-16", "utf-16-be", "utf-32", "latin-1", "cp1252", "cp037", "utf-16-le"]
)
async def test_other_encodings_are_understood_by_their_mark_or_their_name(
    tmp_path: Path, encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_source, "ROWS_AT_ONCE", 3)
    records = [[str(n), f"zwölf\nBoxkämpfer, {n}" if n % 3 else "Ä"] for n in range(20)]
    text = io.StringIO()
    csv.writer(text).writerows([["id", "text"], *records])
    options = {} if encoding in {"utf-8-sig", "utf-16", "utf-32"} else {"encoding": encoding}
    for name in ("a.csv", "a.csv.gz"):
        path = Path(written(tmp_path / name, text.getvalue().encode(encoding)).path)
        rows = await check_positions(partial(open_source, path, **options))
        assert [list(row.values()) for row in rows if isinstance(row, dict)] == records


@pytest.mark.asyncio
async def test_a_lost_byte_in_utf_16_does_not_spoil_the_lines_after_it(tmp_path: Path) -> None:
    for encoding, mark in (("utf-16-le", codecs.BOM_UTF16_LE), ("utf-16-be", codecs.BOM_UTF16_BE)):
        lines = [f"{n},Ā text {n}\n".encode(encoding) for n in range(100)]
        lines[10], lines[20], lines[30] = lines[10][:6] + lines[10][7:], lines[20][:-1], lines[30][1:]
        source = written(tmp_path / "a.csv", mark + "id,text\n".encode(encoding) + b"".join(lines))
        rows = await check_positions(lambda source=source: source)  # type: ignore[misc]
        good = {row["id"] for row in rows if isinstance(row, dict)}
        assert good >= {str(n) for n in range(100)} - {"10", "11", "20", "21", "30", "29"}
        assert 1 <= sum(isinstance(row, BadRow) for row in rows) <= 6


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


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"delimiter": "||"}, "delimiter must be one character"),
        ({"delimiter": '"'}, "delimiter must be one character"),
        ({"quoting": "all"}, "quoting must be 'minimal' or 'none', not 'all'"),
        ({"encoding": "utf8000"}, "encoding must be one that Python knows, such as 'latin-1', not 'utf8000'"),
        ({"encoding": "base64"}, "encoding must be one that Python knows"),
        ({"encoding": ""}, "encoding must be one that Python knows"),
        ({"encoding": "utf-8\0"}, "encoding must be one that Python knows"),
        ({"header": "id,text"}, "header must be True, False, or a list of names, not 'id,text'"),
        ({"header": []}, "header must be True, False, or a list of names"),
        ({"header": ["a", "a"]}, "header has a name more than once"),
        ({"header": [""]}, "header has an empty name"),
    ],
)
def test_a_wrong_option_is_refused(options: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidRequest, match=words):
        CsvSource("a.csv", **options)


@pytest.mark.asyncio
async def test_a_column_without_a_name_is_called_by_its_number(tmp_path: Path) -> None:
    source = written(tmp_path / "a.csv", b",id,,\n0,a,,\n1,b,x,\n")
    assert await rows_of(source) == [
        {"column_1": "0", "id": "a", "column_3": "", "column_4": ""},
        {"column_1": "1", "id": "b", "column_3": "x", "column_4": ""},
    ]


@pytest.mark.asyncio
@pytest.mark.parametrize("data", [b"", b"a,b\n", b"\n\n", b"\xef\xbb\xbf", b"\xff\xfe"])
async def test_a_file_without_records_has_no_rows(tmp_path: Path, data: bytes) -> None:
    assert await rows_of(written(tmp_path / "a.csv", data)) == []


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"a,b,a\n1,2,3\n", "the header of .*a.csv has 'a' more than once"),
        (b"column_2,,b\n1,2,3\n", "the header of .*a.csv has 'column_2' more than once"),
        (b'"a"b,c\n1,2\n', "the header of .*a.csv cannot be read"),
        (b'"a,c\n1,2\n', "the header of .*a.csv cannot be read: a quote is opened and not closed"),
        ("zwölf,b\n1,2\n".encode("latin-1"), "the header of .*a.csv is not UTF-8: name the encoding of the file"),
        ("a,b\n1,2\n".encode("utf-16-le"), "the header of .*a.csv has NUL characters: if it is UTF-16, name the"),
        (b"x" * (1 << 18), "a.csv has no whole line in its first 262,144 bytes: is it a file of lines"),
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
    first = written(tmp_path / "a.csv", b"a\n" + b"one\n" * 70_000)
    second = (await batches_of(first))[1]
    assert (second.start, second.share) == (65_535, 1.0)
    with pytest.raises(SourceError, match=r"a\.csv has changed before byte 262,142 since it was read"):
        await rows_of(written(tmp_path / "a.csv", b"a\n" + b"two\n" * 70_000), second.position, second.start)


@pytest.mark.asyncio
async def test_leaving_early_closes_the_file(tmp_path: Path) -> None:
    assert len((await read_one(written(tmp_path / "a.csv", b"a\n" + b"x\n" * 70_000))).rows) == 70_000
