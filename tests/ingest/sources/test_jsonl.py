"""JSON Lines: rows, bad rows, and resuming at a position."""

from __future__ import annotations

import asyncio
import bz2
import gzip
import json
import lzma
import os
import select
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import aclosing
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiomlcommons.ingest.sources import JsonlSource, SourceError, StdinSource, _compression, jsonl, open_source, reading
from aiomlcommons.ingest.types import BadRow
from tests.support.fifo import written_to
from tests.support.job_simulation import open_files
from tests.support.sources import batches_of, check_positions, read_one, rows_of

# Of the standard library from Python 3.14 on.
zstd: Any = import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")
PACK: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": partial(gzip.compress, mtime=0),  # the time of day would be in the names of tests
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": zstd.compress,
}
LINE = st.sampled_from(
    [b'{"text": "one"}', '{"text": "zwölf"}'.encode(), b"", b"  ", b"{", b"[1]", b"\xff", b'{"n": 1}\r']
)


def written(path: Path, data: bytes) -> JsonlSource:
    path.write_bytes(PACK[path.suffix if path.suffix in PACK else ""](data))
    return JsonlSource(path)


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        try:
            os.close(end)
        except OSError:
            continue


@pytest.mark.asyncio
async def test_each_object_is_a_row_and_empty_lines_are_none(tmp_path: Path) -> None:
    source = written(tmp_path / "a.jsonl", b'\xef\xbb\xbf{"a": 1}\n\n \r\n{"a": "\xc3\xa4"}\r\n{"a": 3}')
    assert await rows_of(source) == [{"a": 1}, {"a": "ä"}, {"a": 3}]
    assert source.name == str(tmp_path / "a.jsonl")


@pytest.mark.asyncio
async def test_a_malformed_line_is_a_bad_row_that_names_its_place_and_reading_goes_on(tmp_path: Path) -> None:
    source = written(tmp_path / "a.jsonl", b'{"a": 1}\n\n{"a": \n[2]\nnull\n\xff\n{"a": 7}\n')
    rows = await rows_of(source)
    assert [rows[0], rows[-1]] == [{"a": 1}, {"a": 7}]
    bad = [row for row in rows if isinstance(row, BadRow)]
    assert [row.where.rpartition("a.jsonl, ")[2] for row in bad] == ["line 3", "line 4", "line 5", "line 6"]
    assert [row.why[:22] for row in bad[:3]] == [
        "not JSON: unexpected e",
        "not a JSON object but ",
        "not a JSON object but ",
    ]
    assert [row.why[22:] for row in bad[1:3]] == ["list", "null"]
    assert [row.raw for row in bad] == ['{"a": ', "[2]", "null", "\ufffd"]


@pytest.mark.asyncio
async def test_a_line_that_is_not_utf8_is_a_bad_row_that_says_what_to_do(tmp_path: Path) -> None:
    bad, row = await rows_of(written(tmp_path / "a.jsonl", b'{"a": "\xe9"}\n{"a": "b"}\n'))
    assert bad == BadRow(
        "not UTF-8: name the encoding of the file", f"{tmp_path / 'a.jsonl'}, line 1", '{"a": "\ufffd"}'
    )
    assert row == {"a": "b"}


OBJECTS = [{"a": n, "b": {"c": [n]}} for n in range(3)]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("text", "kind"),
    [
        (json.dumps(OBJECTS), "an array of objects"),
        (json.dumps(OBJECTS * 9000), "an array of objects"),
        (json.dumps(OBJECTS, indent=2), "an array of objects"),
        ("\n[\n" + ",\n".join(map(json.dumps, OBJECTS)) + "\n]\n", "an array of objects"),
        ("[" + ",\r\n".join(map(json.dumps, OBJECTS)) + "]\r\n", "an array of objects"),
        ("\n".join(json.dumps(one, indent=2) for one in OBJECTS), "objects of several lines each"),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
async def test_json_that_is_no_json_lines_is_refused_with_the_remedy(
    tmp_path: Path, text: str, kind: str, encoding: str
) -> None:
    path = tmp_path / "a.jsonl"
    words = rf"a\.jsonl is not JSON Lines but has {kind}: let its name end in \.json, read it with JsonSource"
    with pytest.raises(SourceError, match=words):
        await rows_of(written(path, text.encode(encoding)))
    path.rename(tmp_path / "a.json")
    assert (await rows_of(open_source(tmp_path / "a.json")))[:3] == OBJECTS


@pytest.mark.asyncio
async def test_json_that_is_piped_in_is_refused_too(pipe: tuple[int, int]) -> None:
    os.write(pipe[1], json.dumps(OBJECTS, indent=2).encode())
    os.close(pipe[1])
    with pytest.raises(SourceError, match="- is not JSON Lines but has an array of objects"):
        await rows_of(StdinSource(pipe[0]))


@pytest.mark.asyncio
@pytest.mark.parametrize("first", ["[", "{", "[1, 2", '[{"a": 1}]', '[{"a": 1', '{"a": [', "[{", "[{" * 5000])
async def test_a_damaged_first_line_is_a_bad_row(tmp_path: Path, first: str) -> None:
    bad, row = await rows_of(written(tmp_path / "a.jsonl", f'{first}\n{{"a": 1}}\n'.encode()))
    assert isinstance(bad, BadRow)
    assert row == {"a": 1}


@pytest.mark.asyncio
@pytest.mark.parametrize("suffix", [".jsonl", ".json", ".csv", ".tsv"])
@pytest.mark.parametrize(
    ("data", "words"),
    [
        *(
            (PACK[ending](b'{"a": 1}'), rf"compressed with \w+: let its name end in \{ending}")
            for ending in PACK
            if ending
        ),
        (b"PAR1\x15\x04", r"Parquet: let its name end in \.parquet"),
        (b"ARROW1\0\0", r"Arrow: let its name end in \.arrow"),
        (b"PK\x03\x04\x14", "a ZIP file, perhaps of a spreadsheet"),
    ],
)
async def test_a_file_of_another_kind_is_refused_with_the_remedy(
    tmp_path: Path, suffix: str, data: bytes, words: str
) -> None:
    path = tmp_path / f"a{suffix}"
    path.write_bytes(data)
    with pytest.raises(SourceError, match=rf"a\{suffix} is not text but {words}"):
        await rows_of(open_source(path))


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "number",
    [
        2**63 - 1,
        2**63,
        -(2**63) - 1,
        2**64,
        12345678901234567890123,
        -(10**400) - 1,
        0.1,
        1.7976931348623157e308,
        0.12345678901234567,
        12345678901234567890123.0,
    ],
)
async def test_a_whole_number_stays_whole_and_every_other_one_is_a_double(tmp_path: Path, number: float) -> None:
    data = f'{{"n": [{number}], "text": "a"}}\n{{"a": 1}}\n'
    for encoding in ("utf-8", "utf-16"):
        row, other = await rows_of(written(tmp_path / "a.jsonl", data.encode(encoding)))
        assert (row, other) == ({"n": [number], "text": "a"}, {"a": 1})
        assert isinstance(row, dict)
        assert type(row["n"][0]) is type(number)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b'{"n": 1e400}', "not JSON: number is infinity"),
        (
            b'{"n": -1%s.5}' % (b"0" * 400),
            "not JSON: the number -1000000000000000000... is beyond the range of a double",
        ),
        (b'{"n": 1%s}' % (b"0" * 5000), "not JSON: Exceeds the limit"),
        (b'{"n": NaN}', "not JSON: "),
        (b'{"n": 12345678901234567890123, "m": Infinity}', "not JSON: "),
        (b'{"n": 12345678901234567890123, "m": "\\ud800"}', "not JSON: "),
        (b'{"n": 12345678901234567890123, "m": %s}' % (b"[" * 3000 + b"]" * 3000), "not JSON: "),
        (b'{"a": "\0"}', "not JSON: "),
        (b'{"a": 1}{"a": 2}', "not JSON: "),
    ],
)
async def test_a_number_that_python_cannot_hold_and_what_is_no_strict_json_is_a_bad_row(
    tmp_path: Path, line: bytes, words: str
) -> None:
    bad, row = await rows_of(written(tmp_path / "a.jsonl", line + b'\n{"a": 1}\n'))
    assert row == {"a": 1}
    assert isinstance(bad, BadRow)
    assert bad.why.startswith(words)


@pytest.mark.asyncio
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32", "utf-16-be", "latin-1", "cp1252", "cp037"])
async def test_other_encodings_are_understood_by_their_mark_or_their_name(
    tmp_path: Path, encoding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jsonl, "BYTES_AT_ONCE", 64)
    options = {} if encoding in {"utf-8-sig", "utf-16", "utf-32"} else {"encoding": encoding}
    rows = [{"n": 10**20 * n, "text": f"zwölf BoxkÃ¤mpfer {n}"} for n in range(20)]
    data = "".join(json.dumps(row, ensure_ascii=False) + "\r\n\n" for row in rows).encode(encoding)
    for ending in ("", ".gz"):
        path = Path(written(tmp_path / f"a.jsonl{ending}", data).path)
        assert await check_positions(partial(open_source, path, **options)) == rows
    descriptors: list[int] = []

    def standard_input() -> StdinSource:
        descriptors.append(os.open(tmp_path / "a.jsonl", os.O_RDONLY))
        return StdinSource(descriptors[-1], **options)

    try:
        assert await check_positions(standard_input) == rows
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


@pytest.mark.asyncio
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be", "utf-32-be"])
async def test_a_name_and_a_mark_may_say_the_same(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes('\ufeff{"a": "ä"}\n'.encode(encoding))
    for options in ({}, {"encoding": encoding}, {"encoding": encoding[:6].rstrip("-")}):
        assert await rows_of(open_source(path, **options)) == [{"a": "ä"}]


@pytest.mark.asyncio
async def test_an_encoding_that_is_named_counts_where_another_would_do(tmp_path: Path) -> None:
    source = written(tmp_path / "a.jsonl", '{"a": "ä"}\n'.encode())
    assert await rows_of(JsonlSource(source.path, encoding="latin-1")) == [{"a": "Ã¤"}]


@pytest.mark.asyncio
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32", "utf-8"])
async def test_a_mark_may_come_byte_by_byte(pipe: tuple[int, int], encoding: str) -> None:
    out, into = pipe
    async with aclosing(StdinSource(out).read()) as stream:
        reading = asyncio.create_task(anext(stream))
        for byte in '{"a": "ä"}\n'.encode(encoding):
            os.write(into, bytes([byte]))
            await until_empty(out)
        assert (await reading).rows == [{"a": "ä"}]
        os.close(into)


async def until_empty(descriptor: int) -> None:
    """Wait until what was written into a pipe is read."""
    while select.select([descriptor], [], [], 0)[0]:
        await anyio.lowlevel.checkpoint()


@pytest.mark.asyncio
async def test_a_line_in_another_encoding_is_a_bad_row(tmp_path: Path) -> None:
    first, last = ('{"a": "ä"}\n'.encode("utf-16-le"), '{"a": "b"}\n'.encode("utf-16-le"))
    found = await rows_of(written(tmp_path / "a.jsonl", b"\xff\xfe" + first + b"\x00\xd8\n\x00" + last))
    why = "not UTF-16-LE: name the encoding of the file"
    assert found == [{"a": "ä"}, BadRow(why, f"{tmp_path / 'a.jsonl'}, line 2", "\ufffd"), {"a": "b"}]


@pytest.mark.asyncio
@pytest.mark.parametrize("data", [b'{"a": 1}\r{"a": 2}\r', b'{"a": 1}\r{"a": 2}\n', b'{"a": 1}\r\n\r\n{"a":\r2}'])
async def test_carriage_returns_divide_lines_or_are_blanks(tmp_path: Path, data: bytes) -> None:
    assert await rows_of(written(tmp_path / "a.jsonl", data)) == [{"a": 1}, {"a": 2}]


@pytest.mark.asyncio
async def test_a_torn_last_line_is_a_bad_row_that_says_so(tmp_path: Path) -> None:
    rows = await rows_of(written(tmp_path / "a.jsonl", b'{"a": 1}\n{"a": "some'))
    assert rows[0] == {"a": 1}
    assert isinstance(rows[1], BadRow)
    assert rows[1].why.startswith("the file ends within the line")
    assert rows[1].where.endswith("a.jsonl, line 2")


@settings(max_examples=60, deadline=None)
@given(
    parts=st.lists(LINE, max_size=30),
    end=st.sampled_from([b"", b"\n"]),
    size=st.integers(1, 40),
    ending=st.sampled_from([*PACK]),
)
def test_reading_on_from_any_position_gives_exactly_the_rest(
    tmp_path_factory: pytest.TempPathFactory, parts: list[bytes], end: bytes, size: int, ending: str
) -> None:
    path = tmp_path_factory.mktemp("lines") / f"a.jsonl{ending}"
    data = b"\n".join(parts) + end
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jsonl, "BYTES_AT_ONCE", size)
        rows = asyncio.run(check_positions(lambda: written(path, data)))
    assert len(rows) == sum(bool(line.strip()) for line in data.split(b"\n"))


@pytest.mark.asyncio
async def test_a_long_file_is_read_in_pieces_of_about_a_thousand_lines(tmp_path: Path) -> None:
    source = written(tmp_path / "a.jsonl", b"".join(b'{"text": "%0250d"}\n' % n for n in range(10_000)))
    sizes = [len(rows.rows) for rows in await batches_of(source)]
    assert sum(sizes) == 10_000
    assert max(sizes) < 1_100
    assert min(sizes[:-1]) > 900


@pytest.mark.asyncio
@pytest.mark.parametrize("ending", [*PACK])
async def test_leaving_early_closes_the_file(tmp_path: Path, ending: str) -> None:
    rows = await read_one(written(tmp_path / f"a.jsonl{ending}", b'{"a": 1}\n' * 100_000))
    assert rows.rows[0] == {"a": 1}


@pytest.mark.asyncio
@pytest.mark.parametrize("ending", [".gz", ".bz2", ".xz", ".zst"])
async def test_a_compressed_file_that_is_cut_off_is_an_error_and_no_shorter_file(tmp_path: Path, ending: str) -> None:
    source = written(tmp_path / f"a.jsonl{ending}", os.urandom(2000).hex().encode())
    path = Path(source.path)
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(SourceError, match=rf"a\.jsonl\{ending}: reading failed: \w+"):
        await rows_of(source)


@pytest.mark.asyncio
@pytest.mark.parametrize("ending", [".gz", ".bz2", ".xz", ".zst"])
async def test_a_compressed_file_of_several_parts_is_read_to_its_end(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a.jsonl{ending}"
    path.write_bytes(PACK[ending](b'{"a": 1}\n') + PACK[ending](b'{"a": 2}\n'))
    assert await rows_of(JsonlSource(path)) == [{"a": 1}, {"a": 2}]


@pytest.mark.asyncio
async def test_zstd_without_its_library_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(_compression, "import_module", absent)
    with pytest.raises(ImportError, match=r"pip install 'aiomlcommons\[zstd\]'"):
        await rows_of(written(tmp_path / "a.jsonl.zst", b"{}\n"))


@pytest.mark.asyncio
@pytest.mark.parametrize("ending", [*PACK])
async def test_a_file_that_is_shorter_than_the_position_is_refused(tmp_path: Path, ending: str) -> None:
    source = written(tmp_path / f"a.jsonl{ending}", b'{"a": 1}\n')
    with pytest.raises(SourceError, match=r"a\.jsonl.* has 9 bytes, and was read to byte 1,000 before"):
        await rows_of(source, [1000, 100, 0], 100)


@pytest.mark.asyncio
@pytest.mark.parametrize("ending", [*PACK])
async def test_another_file_under_the_same_name_is_refused(tmp_path: Path, ending: str) -> None:
    source = written(tmp_path / f"a.jsonl{ending}", b'{"a": 1000}\n' * 10)
    position = [36, 3, zlib.crc32(b'{"b": 1000}\n' * 3)]
    with pytest.raises(SourceError, match=r"a\.jsonl.* has changed before byte 36 since it was read"):
        await rows_of(source, position, 3)


@pytest.mark.asyncio
@pytest.mark.parametrize("ending", [*PACK])
async def test_how_much_of_a_file_is_read_is_known_without_counting_its_rows(
    tmp_path: Path, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jsonl, "BYTES_AT_ONCE", 1 << 16)
    source = written(
        tmp_path / f"a.jsonl{ending}", b"".join(b'{"n": "%s"}\n' % os.urandom(50).hex().encode() for _ in range(29_999))
    )
    shares = [rows.share for rows in await batches_of(source)]
    assert None not in shares
    assert (shares, shares[-1]) == (sorted(shares), 1.0)  # type: ignore[type-var]
    assert shares[0] < 0.9  # type: ignore[operator]


@pytest.mark.asyncio
async def test_what_has_no_size_has_no_share(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.jsonl")
    with written_to(tmp_path / "a.jsonl", b"{}\n" * 5):
        found = await batches_of(JsonlSource(tmp_path / "a.jsonl"))
    assert [(len(rows.rows), rows.share) for rows in found] == [(5, None)]


@pytest.mark.asyncio
async def test_a_position_of_something_else_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="which is not a position in it"):
        await rows_of(written(tmp_path / "a.jsonl", b"{}\n"), {"row": 1}, 1)


@pytest.mark.asyncio
async def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.jsonl"):
        await rows_of(JsonlSource(tmp_path / "none.jsonl"))


@pytest.mark.asyncio
async def test_a_line_without_end_does_not_fill_the_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "LONGEST_LINE", 100_000)
    with pytest.raises(SourceError, match="has a line of more than 100,000 bytes"):
        await rows_of(written(tmp_path / "a.jsonl", b"x" * 300_000))


@pytest.mark.asyncio
async def test_rows_of_standard_input_come_as_soon_as_they_are_there(pipe: tuple[int, int]) -> None:
    out, into = pipe
    async with aclosing(StdinSource(out).read()) as stream:
        os.write(into, b'{"a": 1}\n{"a"')
        assert (await anext(stream)).rows == [{"a": 1}]
        os.write(into, b": 2}\n")
        assert (await anext(stream)).rows == [{"a": 2}]
        os.close(into)
        with pytest.raises(StopAsyncIteration):
            await anext(stream)


@pytest.mark.asyncio
async def test_waiting_for_standard_input_can_be_cancelled(pipe: tuple[int, int]) -> None:
    waiting = asyncio.create_task(read_one(StdinSource(pipe[0])))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


@pytest.fixture
def fifo(tmp_path: Path) -> Path:
    os.mkfifo(tmp_path / "a.jsonl")
    return tmp_path / "a.jsonl"


@pytest.mark.asyncio
@pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.csv"])
async def test_waiting_for_the_writer_of_a_named_pipe_can_be_cancelled(fifo: Path, name: str) -> None:
    path = fifo.rename(fifo.with_name(name))
    async with anyio.create_task_group() as group:
        group.start_soon(read_one, open_source(path))
        while str(path) not in open_files():
            await anyio.lowlevel.checkpoint()
        group.cancel_scope.cancel()
    assert str(path) not in open_files()


@pytest.mark.asyncio
async def test_rows_of_a_named_pipe_come_as_soon_as_they_are_there(fifo: Path) -> None:
    source = open_source(fifo)
    assert (source.name, await source.count()) == (str(fifo), None)
    async with aclosing(source.read()) as stream:
        first = asyncio.create_task(anext(stream))
        while str(fifo) not in open_files():
            await anyio.lowlevel.checkpoint()
        into = os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
        os.write(into, b'{"a": 1}\n{"a"')
        assert (await first).rows == [{"a": 1}]
        os.write(into, b": 2}\n")
        assert (await anext(stream)).rows == [{"a": 2}]
        os.close(into)
        with pytest.raises(StopAsyncIteration):
            await anext(stream)
    with pytest.raises(SourceError, match=r"a\.jsonl can be read once only"):
        await rows_of(source)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.jsonl", b'{"id": "1"}\n{"id": "2"}'),
        ("a.ndjson.gz", PACK[".gz"](b'{"id": "1"}\n{"id": "2"}')),
        ("a.jsonl.zst", zstd.compress(b'{"id": "1"}\n{"id": "2"}')),
        ("a.csv", b"id\n1\n2\n"),
    ],
)
async def test_any_file_of_lines_may_be_a_named_pipe(fifo: Path, name: str, data: bytes) -> None:
    path = fifo.rename(fifo.with_name(name))
    with written_to(path, data):
        assert await rows_of(open_source(path)) == [{"id": "1"}, {"id": "2"}]


@pytest.mark.asyncio
async def test_a_regular_file_as_standard_input_is_read_and_read_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jsonl, "BYTES_AT_ONCE", 64)
    path = tmp_path / "a"
    path.write_text("".join(json.dumps({"n": n}) + "\n" for n in range(50)))
    descriptors: list[int] = []

    def fresh() -> StdinSource:
        descriptors.append(os.open(path, os.O_RDONLY))
        return StdinSource(descriptors[-1])

    try:
        assert await check_positions(fresh) == [{"n": n} for n in range(50)]
        with pytest.raises(SourceError, match="- has changed before byte 90 since it was read"):
            await rows_of(fresh(), [90, 10, 0], 10)
        with pytest.raises(SourceError, match="- has 490 bytes, and was read to byte 10,000 before"):
            await rows_of(fresh(), [10_000, 900, 0], 900)
    finally:
        for one in descriptors:
            os.close(one)


@pytest.mark.asyncio
async def test_standard_input_is_not_read_twice(pipe: tuple[int, int]) -> None:
    source = StdinSource(pipe[0])
    os.close(pipe[1])
    assert await rows_of(source) == []
    with pytest.raises(SourceError, match="once only"):
        await rows_of(source)
