"""JSON files: arrays of objects, objects one after another, bad rows, and resuming at a position."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import tracemalloc
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiomlcommons.errors import InvalidRequest
from aiomlcommons.ingest.sources import JsonSource, SourceError, _json_reader, open_source
from aiomlcommons.ingest.types import BadRow
from tests.support.fifo import written_to
from tests.support.sources import batches_of, check_positions, read_one, rows_of

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
OBJECTS = st.lists(st.dictionaries(st.text(max_size=3), VALUES, max_size=4), max_size=8)


def written(path: Path, data: str | bytes) -> JsonSource:
    content = data.encode() if isinstance(data, str) else data
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return JsonSource(path)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "data",
    [
        '[{"a": 1}, {"a": [{"b": 2}]}, {}]',
        ' \n[\n  {\n    "a": 1\n  },\n  {\n    "a": [\n      {\n        "b": 2\n      }\n    ]\n  },\n  {}\n]\n',
        '\ufeff[{"a":1},{"a":[{"b":2}]},{}]',
        '{"a": 1}\n{"a": [{"b": 2}]}\n\n{}\n',
        '{"a": 1}{"a": [{"b":\r\n2}]} {}',
        '[{"a": 1}]\n[{"a": [{"b": 2}]},\n{}]',
        '[{"a": 1} {"a": [{"b": 2}]},, {}]',
    ],
)
async def test_each_object_of_an_array_or_of_the_file_is_a_row(tmp_path: Path, data: str) -> None:
    assert await rows_of(written(tmp_path / "a.json", data)) == [{"a": 1}, {"a": [{"b": 2}]}, {}]


@pytest.mark.asyncio
@pytest.mark.parametrize("data", ["", " \n", "[]", "[ ]\n", "\ufeff"])
async def test_a_file_without_objects_has_no_rows(tmp_path: Path, data: str) -> None:
    assert await rows_of(written(tmp_path / "a.json", data)) == []


@pytest.mark.asyncio
async def test_one_object_is_one_row(tmp_path: Path) -> None:
    whole = {"title": "a", "meta": {"tags": [{"title": "b"}, {"title": "c"}]}}
    assert await rows_of(written(tmp_path / "a.json", json.dumps(whole, indent=2))) == [whole]


@pytest.mark.asyncio
async def test_an_element_that_is_no_object_is_a_bad_row_that_names_its_place(tmp_path: Path) -> None:
    source = written(tmp_path / "a.json", '[{"a": 1},\n3, "x", [{"a": 2}],\nnull, {"a": NaN}, {"a": 1e999}, {"a": 2}]')
    first, *bad, last = await rows_of(source)
    assert (first, last) == ({"a": 1}, {"a": 2})
    assert [(row.why[:30], row.where.rpartition("a.json, ")[2], row.raw) for row in bad if isinstance(row, BadRow)] == [
        ("not a JSON object but int", "line 2, byte 11", "3"),
        ("not a JSON object but str", "line 2, byte 14", '"x"'),
        ("not a JSON object but list", "line 2, byte 19", '[{"a": 2}]'),
        ("not a JSON object but null", "line 3, byte 31", "null"),
        ("not JSON: unexpected character", "line 3, byte 37", '{"a": NaN}'),
        ("not JSON: number is infinity w", "line 3, byte 49", '{"a": 1e999}'),
    ]


@pytest.mark.asyncio
async def test_a_number_is_not_divided_where_the_file_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_json_reader, "READ_AT_ONCE", 2)
    found = await rows_of(written(tmp_path / "a.json", "[123456789, {}, true, 98765"))
    assert [row.raw for row in found if isinstance(row, BadRow)] == ["123456789", "true", "98765", ""]


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("data", "lines", "raw"),
    [
        ('[{"id": 1},\n{"id": 2, "t": "cut\n{"id": 3}]', "line 2, byte 12", '{"id": 2, "t": "cut'),
        ('[{"id": 1}, {"id": 2, "t": tru}, {"id": 3}]', "line 1, byte 12", '{"id": 2, "t": tru}'),
        ('[{"id": 1}, {"id": 2, "m": {"id": 9}, "t": }, {"id": 3}]', "line 1, byte 12", None),
        ('[\n {"id": 1},\n {\n  "id": 2,\n  "t" 3\n },\n {"id": 3}\n]', "lines 3 to 6, byte 15", None),
        ('{"id": 1}\n{"id": 2, "t": "cut\nand more\n{"id": 3}', "lines 2 to 3, byte 10", None),
        ('{"id": 1}\n]\n{"id": 3}', "line 2, byte 10", "]"),
    ],
)
async def test_what_is_not_json_is_one_bad_row_and_reading_goes_on_at_the_next_object(
    tmp_path: Path, data: str, lines: str, raw: str | None
) -> None:
    first, bad, last = await rows_of(written(tmp_path / "a.json", data))
    assert (first, last) == ({"id": 1}, {"id": 3})
    assert isinstance(bad, BadRow)
    assert bad.where == f"{tmp_path / 'a.json'}, {lines}"
    assert raw is None or bad.raw == raw


@pytest.mark.asyncio
async def test_a_file_that_is_cut_off_anywhere_gives_its_whole_objects_and_one_bad_row(tmp_path: Path) -> None:
    rows = [{"id": n, "text": f'a "{n}" ä', "more": [{"id": 1}, {"id": -2.5e-3}]} for n in range(3)]
    data = json.dumps(rows, ensure_ascii=False).encode()
    for end in range(1, len(data)):
        *found, bad = await rows_of(written(tmp_path / "a.json", data[:end]))
        assert found == rows[: len(found)]
        assert len(found) == data[:end].count(b"}]}")
        assert isinstance(bad, BadRow)
        assert bad.why.startswith(("the file ends within a value: ", "the file ends within an array"))


@settings(max_examples=40, deadline=None)
@given(
    rows=OBJECTS,
    indent=st.sampled_from([None, 1]),
    lines=st.booleans(),
    size=st.integers(1, 9),
    encoding=st.sampled_from(["utf-8", "utf-16", "utf-32", "utf-8-sig"]),
    ending=st.sampled_from(["", ".gz"]),
)
def test_reading_on_from_any_position_gives_exactly_the_rest(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[dict[str, Any]],
    indent: int | None,
    lines: bool,
    size: int,
    encoding: str,
    ending: str,
) -> None:
    path = tmp_path_factory.mktemp("json") / f"a.json{ending}"
    text = (
        "\n".join(json.dumps(row, ensure_ascii=False, indent=indent) for row in rows)
        if lines
        else json.dumps(rows, ensure_ascii=False, indent=indent)
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_json_reader, "READ_AT_ONCE", size)
        patch.setattr(_json_reader, "ROWS_AT_ONCE", size)
        source = written(path, text.encode(encoding))
        assert asyncio.run(check_positions(lambda: source)) == rows


@settings(max_examples=100, deadline=None)
@given(data=st.text(st.sampled_from('[]{},:"a1\\\n '), max_size=40), size=st.integers(1, 5))
def test_reading_on_in_whatever_stands_there_gives_exactly_the_rest(
    tmp_path_factory: pytest.TempPathFactory, data: str, size: int
) -> None:
    path = tmp_path_factory.mktemp("anything") / "a.json"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_json_reader, "READ_AT_ONCE", size)
        patch.setattr(_json_reader, "ROWS_AT_ONCE", size)
        asyncio.run(check_positions(lambda: written(path, data)))


@pytest.mark.asyncio
async def test_other_encodings_have_a_name_and_bytes_that_can_be_counted(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes('[{"a": "ä"}, {"a": "b"}]'.encode("latin-1"))
    assert await check_positions(partial(open_source, path, encoding="latin-1")) == [{"a": "ä"}, {"a": "b"}]
    assert await rows_of(JsonSource(path)) == [
        BadRow("not UTF-8: name the encoding of the file", f"{path}, line 1, byte 1", '{"a": "\ufffd"}'),
        {"a": "b"},
    ]
    with pytest.raises(InvalidRequest, match="must be a UTF or have one byte a character, unlike 'shift_jis'"):
        JsonSource(path, encoding="shift_jis")


@pytest.mark.asyncio
async def test_a_long_array_is_read_in_pieces_and_in_little_memory(tmp_path: Path) -> None:
    with (tmp_path / "a.json").open("w") as file:
        file.write("[" + ", ".join(json.dumps({"id": n, "text": "x" * 500}) for n in range(20_000)) + "]")
    count = 0
    tracemalloc.start()
    try:
        async for rows in JsonSource(tmp_path / "a.json").read():
            assert len(rows.rows) <= 1000
            count += len(rows.rows)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count == 20_000
    assert most < 6_000_000  # of 10 MB


@pytest.mark.asyncio
async def test_a_file_that_is_one_long_object_does_not_fill_the_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_json_reader, "LONGEST_OBJECT", 10_000)
    monkeypatch.setattr(_json_reader, "READ_AT_ONCE", 1000)
    found = await rows_of(written(tmp_path / "a.json", '{"data": [' + '{"a": 1}, ' * 5000 + '{"a": 2}]}\n{"a": 3}\n'))
    assert [type(row) for row in found] == [BadRow, dict]
    assert found[1] == {"a": 3}


@pytest.mark.asyncio
async def test_another_file_under_the_same_name_is_refused(tmp_path: Path) -> None:
    batches = await batches_of(written(tmp_path / "a.json", json.dumps([{"a": 1}] * 2000)))
    position = batches[1].position
    for data, words in (
        (json.dumps([{"b": 1}] * 2000), "has changed before byte"),
        ("[]", "has 2 bytes, and was read"),
    ):
        with pytest.raises(SourceError, match=rf"a\.json {words}"):
            await rows_of(written(tmp_path / "a.json", data), position, 1000)
    with pytest.raises(SourceError, match="which is not a position in it"):
        await rows_of(written(tmp_path / "a.json", "[]"), [0, 0, 0], 0)


@pytest.mark.asyncio
async def test_leaving_early_closes_the_file(tmp_path: Path) -> None:
    assert len((await read_one(written(tmp_path / "a.json", json.dumps([{"a": 1}] * 5000)))).rows) == 1000


@pytest.mark.asyncio
async def test_a_named_pipe_is_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.json")
    with written_to(tmp_path / "a.json", b'[{"a": 1}, {"a": 2}]'):
        assert await rows_of(open_source(tmp_path / "a.json")) == [{"a": 1}, {"a": 2}]
