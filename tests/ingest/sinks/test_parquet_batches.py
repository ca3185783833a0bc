"""Batches of a job wait for a table of a useful size: the file is the same as if each were written at once."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from errno import ENOSPC
from importlib import import_module
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from aiomlcommons.ingest.arrow_rows import ArrowRows
from aiomlcommons.ingest.errors import SinkError
from aiomlcommons.ingest.sinks import ParquetSink
from aiomlcommons.ingest.types import Documents, Refused, Row
from tests.support.sinks import DIMENSION, batch, documents, vectors

pa: Any = import_module("pyarrow")
pq: Any = import_module("pyarrow.parquet")

VALUES = st.one_of(
    st.none(),
    st.integers(-(2**66), 2**66),
    st.integers(0, 3),
    st.floats(width=32),
    st.booleans(),
    st.text("aé€", max_size=3),
    st.binary(max_size=2),
    st.lists(st.one_of(st.integers(0, 9), st.text("ab", max_size=1)), max_size=2),
    st.dictionaries(
        st.sampled_from("xy"), st.one_of(st.none(), st.integers(0, 9), st.text("ab", max_size=1)), max_size=2
    ),
)
ROWS = st.lists(
    st.dictionaries(st.sampled_from(["a", "b", "embedding", "ключ"]), VALUES, max_size=3), min_size=1, max_size=12
)


def cut(rows: Sequence[Row], sizes: Sequence[int]) -> list[Documents]:
    """Return batches of the rows, each of the next of the sizes."""
    batches, begin = list[Documents](), 0
    for size in [*sizes, len(rows)]:
        part = rows[begin : begin + size]
        ids = [str(begin + i) for i in range(len(part))]
        batches.append(Documents(ids, part, ids, vectors(begin, len(part))))
        begin += size
    return [one for one in batches if len(one)]


async def write(
    path: Path, batches: Sequence[Documents], *, screened: bool, flush_at: int = -1, held: int = 1 << 24
) -> list[Refused]:
    """Write batches, and flush and go on in a new sink after one of them; return what is refused."""
    sink, refused = ParquetSink(path, held=held), list[Refused]()
    await sink.open(None)
    for number, one in enumerate(batches):
        if screened:
            refused += (bad := sink.screen(one.ids, one.rows))
            assert await sink.write(without(one, bad)) == ()
        else:
            refused += await sink.write(one)
        if number == flush_at:
            state = orjson.loads(orjson.dumps(await sink.flush()))
            await sink.close(complete=False)
            sink = ParquetSink(path, held=held)
            await sink.open(state)
    await sink.close(complete=True)
    return refused


def without(one: Documents, refused: Sequence[Refused]) -> Documents:
    bad = {each.index for each in refused}
    if not bad:
        return one
    kept = [i for i in range(len(one)) if i not in bad]
    of: Any = one.vectors
    ids, rows, texts = ([column[i] for i in kept] for column in (one.ids, one.rows, one.texts))
    return Documents(ids, rows, texts, of[kept])  # type: ignore[arg-type]  # each is a part of its column


SIZES = st.lists(st.integers(1, 6), max_size=4)


@settings(max_examples=20, deadline=None)
@given(ROWS, SIZES, st.integers(-1, 3), st.sampled_from([1, 400, 1 << 24]))
@example([{"a": -(2**63) - 1}], [], 0, 1)  # all of the first batch are refused
def test_rows_of_any_kind_make_the_same_file(rows: Any, sizes: Any, flush_at: int, held: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        slow, quick = Path(folder, "slow.parquet"), Path(folder, "quick.parquet")
        refused = asyncio.run(write(slow, cut(rows, sizes), screened=False))
        assert refused == asyncio.run(write(quick, cut(rows, sizes), screened=True, flush_at=flush_at, held=held))
        check_same(quick, slow)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=5), SIZES, st.integers(-1, 3), st.booleans())
def test_rows_of_arrow_are_copied_as_they_are(lengths: list[int], sizes: Any, flush_at: int, mixed: bool) -> None:
    kinds = [pa.int8(), pa.int32(), pa.int8(), pa.int16(), pa.int8()]
    batches = [
        pa.record_batch({"n": pa.array(range(length), kind), "embedding": pa.array(["old"] * length)})
        for length, kind in zip(lengths, kinds, strict=False)
    ]
    rows: Any = ArrowRows(batches)
    made = cut(list(rows), sizes)
    kept = cut(rows, sizes)
    if mixed and len(kept) > 1:
        kept[1] = made[1]
    with tempfile.TemporaryDirectory() as folder:
        slow, quick = Path(folder, "slow.parquet"), Path(folder, "quick.parquet")
        asyncio.run(write(slow, made, screened=False))
        asyncio.run(write(quick, kept, screened=True, flush_at=flush_at))
        check_same(quick, slow)
        assert all(one.rows._made is None for one in kept if isinstance(one.rows, ArrowRows)), "no row was made"


def check_same(path: Path, expected: Path) -> None:
    found, wanted = pq.read_table(path), pq.read_table(expected)
    # Without any row, only a sink that was not resumed knows of what type the vectors were.
    assert found.num_rows == wanted.num_rows == 0 or found.schema.equals(wanted.schema, check_metadata=True)
    assert repr(list(map(without_nulls, found.to_pylist()))) == repr(list(map(without_nulls, wanted.to_pylist())))


def without_nulls(value: Any) -> Any:
    """Return a value without keys that are null, which are those that a mapping lacks, and mappings without any."""
    if isinstance(value, dict):
        inner = {key: without_nulls(each) for key, each in value.items()}
        return {key: each for key, each in inner.items() if each is not None} or None
    return [without_nulls(inner) for inner in value] if isinstance(value, list) else value


@pytest.mark.asyncio
async def test_batches_wait_without_a_thread_until_there_are_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink, calls = ParquetSink(tmp_path / "out.parquet"), list[int]()
    await sink.open(None)
    write = sink._write

    def noted(one: Documents) -> Sequence[Refused]:
        calls.append(len(one))
        return write(one)

    monkeypatch.setattr(sink, "_write", noted)
    for first in range(0, 2560, 64):
        one = batch(first, 64)
        sink.screen(one.ids, one.rows)
        assert await sink.write(one) == ()
    assert calls == [64, 64, 64], "the first, which tells the type of the vectors, and two that complete a table"
    assert [table.num_rows for table in sink._tables] == [64, 1088, 1088]
    assert (await sink.flush())["rows"] == 2560
    await sink.close(complete=True)
    assert [row["id"] for row in pq.read_table(tmp_path / "out.parquet").to_pylist()] == [f"d{i}" for i in range(2560)]


@pytest.mark.asyncio
async def test_what_waits_is_bounded_in_bytes(tmp_path: Path) -> None:
    sink = ParquetSink(tmp_path / "out.parquet", held=4_000)
    await sink.open(None)
    sink.screen([], [{"id": "a"}])
    for first in range(100):
        await sink.write(documents([{"id": "a"}], np.zeros((1, DIMENSION), "f4")))
        assert sink._waiting._bytes <= 1_000
        assert sum(table.nbytes for table in sink._tables) < 4_000, first
    await sink.close(complete=True)
    assert pq.read_metadata(tmp_path / "out.parquet").num_rows == 100


@pytest.mark.asyncio
async def test_a_vector_of_another_dimension_is_refused_while_batches_wait(tmp_path: Path) -> None:
    sink = ParquetSink(tmp_path / "out.parquet")
    await sink.open(None)
    for first in (0, 3):
        sink.screen([], batch(first, 3).rows)
        assert await sink.write(batch(first, 3)) == ()
    other = documents([{"id": "x", "text": ""}], np.zeros((1, 7), "f4"))
    (refused,) = await sink.write(other)
    assert "its vector is fixed_size_list" in refused.why
    await sink.close(complete=True)
    assert pq.read_metadata(tmp_path / "out.parquet").num_rows == 6


@pytest.mark.asyncio
async def test_a_row_that_changes_after_it_was_screened_is_an_error_that_shows_it(tmp_path: Path) -> None:
    sink, one = ParquetSink(tmp_path / "out.parquet"), batch(0, 2)
    await sink.open(None)
    sink.screen(one.ids, one.rows)
    one.rows[1]["text"] = 7  # type: ignore[index]
    with pytest.raises(SinkError, match=r"has a row that changed after it was screened: its field 'text' is int64.*d1"):
        await sink.write(one)
    await sink.close(complete=False)


@pytest.mark.asyncio
async def test_parts_of_an_earlier_version_are_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "out.parquet"
    sink = ParquetSink(path)
    await sink.open(None)
    await sink.write(batch(0, 3))
    state = await sink.flush()
    await sink.close(complete=False)
    part = tmp_path / "out.parquet.parts" / "00000000.arrow"
    with pa.OSFile(str(part)) as file:
        pq.write_table(
            pa.ipc.open_stream(file).read_all(), part.with_suffix(".parquet"), use_compliant_nested_type=False
        )
    part.unlink()
    sink = ParquetSink(path)
    await sink.open(state)
    await sink.write(batch(3, 2))
    await sink.close(complete=True)
    assert [row["id"] for row in pq.read_table(path).to_pylist()] == [f"d{i}" for i in range(5)]


@pytest.mark.asyncio
async def test_texts_are_compressed_and_have_statistics_and_vectors_do_not(tmp_path: Path) -> None:
    sink = ParquetSink(tmp_path / "out.parquet")
    await sink.open(None)
    await sink.write(batch(0, 9, deep=[{"x": 1}]))
    await sink.close(complete=True)
    group = pq.read_metadata(tmp_path / "out.parquet").row_group(0)
    columns = {one.path_in_schema: one for one in (group.column(i) for i in range(group.num_columns))}
    assert {path: (one.compression, one.is_stats_set) for path, one in columns.items()} == {
        "id": ("SNAPPY", True),
        "text": ("SNAPPY", True),
        "deep.list.item.x": ("SNAPPY", True),
        "embedding.list.item": ("UNCOMPRESSED", False),
    }


@pytest.mark.asyncio
async def test_a_flush_that_failed_can_be_repeated_and_loses_no_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = ParquetSink(tmp_path / "out.parquet", held=800)
    await sink.open(None)
    # The last two wait, and two tables come of them, of which the first one alone is enough for a part file.
    rows = ArrowRows(pa.Table.from_pylist(batch(6, 3).rows).to_batches())
    for one in (batch(0, 3), batch(3, 3, more="x" * 300), attrs.evolve(batch(6, 3), rows=rows)):
        assert not sink.screen(one.ids, one.rows)
        assert await sink.write(one) == ()

    def full(*_: Any) -> None:
        raise OSError(ENOSPC, "No space left on device")

    with monkeypatch.context() as patched, pytest.raises(OSError, match="No space left"):
        patched.setattr(sink._folder, "add", full)
        await sink.flush()
    assert (await sink.flush())["rows"] == 9
    await sink.close(complete=True)
    assert pq.read_table(tmp_path / "out.parquet").column("id").to_pylist() == [f"d{i}" for i in range(9)]
