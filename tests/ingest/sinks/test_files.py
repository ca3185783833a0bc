"""File sinks: a file appears by atomic rename, and after a crash and a resume has each document once."""

from __future__ import annotations

import datetime as dt
import errno
import io
import os
import shutil
import tempfile
from collections.abc import Callable
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aiomlcommons.ingest.sinks import JsonLinesSink, NpySink, ParquetSink, SinkError, open_sink
from aiomlcommons.ingest.sinks import _parquet_parts as folders
from aiomlcommons.ingest.sinks._index_actions import actions
from aiomlcommons.ingest.sinks.npy import _lines as npy_lines
from aiomlcommons.ingest.types import Documents
from tests.support.sinks import DIMENSION, batch, documents, sparse, vectors, written

# It has no type hints.
pa: Any = import_module("pyarrow")
pq: Any = import_module("pyarrow.parquet")

pytestmark = pytest.mark.asyncio

ENDINGS = (".jsonl", ".npy", ".parquet")
every_file = pytest.mark.parametrize("ending", ENDINGS)


def read(path: Path) -> tuple[list[str], Any]:
    """Read the ids and vectors of a file."""
    if path.suffix == ".npy":
        return [line["id"] for line in lines(NpySink(path).ids_path)], np.load(path)
    rows = lines(path) if path.suffix == ".jsonl" else pq.read_table(path).to_pylist()
    return [row["id"] for row in rows], np.array([row["embedding"] for row in rows], "f4").reshape(-1, DIMENSION)


def lines(path: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def holds(path: Path, count: int) -> bool:
    ids, found = read(path)
    return ids == [f"d{i}" for i in range(count)] and found.tobytes() == vectors(0, count).tobytes()


def files(path: Path) -> list[Path]:
    """Return the files that a finished sink leaves."""
    return [path, NpySink(path).ids_path] if path.suffix == ".npy" else [path]


@every_file
async def test_nobody_else_writes_where_a_job_writes(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"out{ending}"
    first, second = open_sink(path), open_sink(path)
    await first.open(None)
    await first.write(batch(0, 7))
    for _ in range(2):
        with pytest.raises(SinkError, match=rf"out{ending} is being written by another job: wait for its end"):
            await second.open(None)
    await first.flush()
    await first.close(complete=True)
    assert holds(path, 7)
    await second.open(None)
    await second.write(batch(0, 9))
    await second.close(complete=True)
    assert holds(path, 9)
    assert sorted(tmp_path.iterdir()) == files(path)


@every_file
async def test_what_is_written_is_read_back_bit_by_bit(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"out{ending}"
    assert await written(open_sink(path), batch(0, 7), batch(7, 1), batch(8, 30)) == []
    assert holds(path, 38)
    assert sorted(tmp_path.iterdir()) == files(path)


@every_file
async def test_a_file_appears_only_when_it_is_complete(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"out{ending}"
    path.write_bytes(b"from an earlier job")
    sink = open_sink(str(path))
    await sink.open(None)
    await sink.write(batch(0, 3))
    await sink.flush()
    assert path.read_bytes() == b"from an earlier job"
    await sink.close(complete=False)
    assert path.read_bytes() == b"from an earlier job"
    await written(open_sink(path), batch(0, 2))
    assert holds(path, 2)


@every_file
async def test_a_job_without_documents_leaves_a_valid_empty_file(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"out{ending}"
    await written(open_sink(path))
    assert len(read(path)[1]) == 0


async def test_the_vectors_of_a_numpy_file_have_their_rows_and_ids_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "out.npy"
    some = attrs.evolve(batch(0, 3), numbers=[0, 4, 7])
    assert await written(NpySink(path), some, batch(3, 1)) == []
    assert (tmp_path / "out.npy.ids.jsonl").read_text() == (
        '{"row":0,"id":"d0"}\n{"row":4,"id":"d1"}\n{"row":7,"id":"d2"}\n{"row":null,"id":"d3"}\n'
    )
    pandas: Any = pytest.importorskip("pandas")
    found = pandas.read_json(NpySink(path).ids_path, lines=True, dtype={"id": str})
    assert len(found) == len(np.load(path))


async def test_the_ids_are_published_before_the_vectors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "out.npy"
    sink = NpySink(path)
    await sink.open(None)
    await sink.write(batch(0, 3))
    state = await sink.flush()
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", fails)
        with pytest.raises(OSError, match="Input/output error"):
            await sink.close(complete=True)
    assert not path.exists()
    await written(NpySink(path), batch(3, 2), state=state)
    assert holds(path, 5)


async def test_the_state_of_an_earlier_version_is_refused_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match=r"out\.npy was begun by an earlier version: remove the checkpoint"):
        await NpySink(tmp_path / "out.npy").open({"bytes": 128, "rows": 0, "dimension": 0, "descr": "<f4"})


# ---- crashes ---------------------------------------------------------------------------------------------------------


class Crash(BaseException):
    """Stands for the end of the process."""


STEPS = st.lists(st.one_of(st.integers(1, 5), st.just("flush"), st.just("crash"), st.just("reopen")), max_size=14)


@every_file
@given(steps=STEPS)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_after_a_crash_anywhere_the_file_is_the_whole_and_nothing_twice(ending: str, steps: list[Any]) -> None:
    """After a crash there are the files on disk, and the state of the last flush."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"out{ending}"
        sink, state, number, durable = open_sink(path), None, 0, 0
        await sink.open(None)
        for step in steps:
            if isinstance(step, int):
                await sink.write(batch(number, step))
                number += step
            if step in ("flush", "reopen"):
                state, durable = orjson.loads(orjson.dumps(await sink.flush())), number
            if step in ("crash", "reopen"):
                await sink.close(complete=step == "reopen")  # a crash closes files too; "reopen" resumes a finished job
                sink, number = open_sink(path), durable
                await sink.open(state)
        await sink.write(batch(number, 2))
        await sink.close(complete=True)
        assert holds(path, number + 2)
        assert sorted(Path(folder).iterdir()) == files(path)


@every_file
async def test_what_a_crash_left_torn_is_cut_off(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"out{ending}"
    sink = open_sink(path)
    await sink.open(None)
    await sink.write(batch(0, 3))
    state = await sink.flush()
    await sink.close(complete=False)
    if ending == ".parquet":
        (tmp_path / "out.parquet.parts" / "00000001.part").write_bytes(b"PAR1 torn")
        (tmp_path / "out.parquet.parts" / "00000001.arrow").write_bytes(b"of a crash after the last note")
        (tmp_path / "out.parquet.part").write_bytes(b"PAR1 half joined")
    else:
        with (tmp_path / f"out{ending}.part").open("ab") as file:
            file.write(b'{"id": "d3", "te')
    sink = open_sink(path)
    await sink.open(state)
    if ending == ".parquet":
        assert {one.name for one in (tmp_path / "out.parquet.parts").iterdir()} == {"00000000.arrow", "lock"}
    await sink.write(batch(3, 2))
    await sink.close(complete=True)
    assert holds(path, 5)
    assert sorted(tmp_path.iterdir()) == files(path)


@every_file
async def test_a_finished_job_that_is_run_again_leaves_its_file_alone(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"out{ending}"
    sink = open_sink(path)
    await sink.open(None)
    await sink.write(batch(0, 3))
    state = await sink.flush()
    await sink.close(complete=True)
    before = path.stat()
    await written(open_sink(path), state=state)
    assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    await written(open_sink(path), batch(3, 4), state=state)
    assert holds(path, 7)


@every_file
async def test_a_file_that_is_gone_since_is_refused_by_name(tmp_path: Path, ending: str) -> None:
    sink = open_sink(tmp_path / f"out{ending}")
    await sink.open(None)
    await sink.write(batch(0, 3))
    state = await sink.flush()
    await sink.close(complete=False)
    for left in list(tmp_path.rglob("*")):
        if left.is_file():
            left.unlink()
    with pytest.raises(SinkError, match=rf"out\{ending}\.part.*remove the checkpoint"):
        await open_sink(tmp_path / f"out{ending}").open(state)


@every_file
async def test_a_sink_that_is_not_open_has_no_state_for_a_checkpoint(tmp_path: Path, ending: str) -> None:
    """The state of a sink that failed to open would make the next run truncate the file."""
    (tmp_path / "folder").mkdir()
    sink = open_sink(tmp_path / "folder" / f"out{ending}")
    (tmp_path / "folder").rmdir()
    with pytest.raises(FileNotFoundError):
        await sink.open(None)
    with pytest.raises(SinkError, match="is not open"):
        await sink.flush()
    await sink.close(complete=False)
    with pytest.raises(SinkError, match="is not open"):
        await sink.write(batch(0, 1))


async def test_parquet_goes_on_when_it_was_killed_while_it_was_joined(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "out.parquet"
    for place in ("replace", "rmtree"):
        sink = ParquetSink(path)
        await sink.open(None)
        for first in (0, 3):
            await sink.write(batch(first, 3))
            state = await sink.flush()
        with monkeypatch.context() as patch:
            patch.setattr(*(Path, "replace", crash) if place == "replace" else (shutil, "rmtree", half_removed))
            with pytest.raises(Crash):
                await sink.close(complete=True)
        await written(ParquetSink(path), batch(6, 1), state=state)
        assert holds(path, 7)
        assert list(tmp_path.iterdir()) == [path]


def crash(*_: Any, **__: Any) -> Any:
    raise Crash


def half_removed(folder: Path, **_: Any) -> Any:
    (folder / "00000000.arrow").unlink()
    raise Crash


# ---- a full disk -----------------------------------------------------------------------------------------------------


class Full(io.FileIO):
    """A file on a full disk, which takes half of each write."""

    room = True

    def write(self, data: Any, /) -> int:
        if Full.room:
            return super().write(data)
        if len(data) > 9:
            return super().write(memoryview(data)[: len(data) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("ending", [".jsonl", ".npy"])
async def test_a_full_disk_is_an_error_that_names_the_file_and_what_is_durable_stays(
    tmp_path: Path, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aiomlcommons.ingest.sinks._part_file.io.FileIO", Full)
    path = tmp_path / f"out{ending}"
    sink = open_sink(path)
    await sink.open(None)
    await sink.write(batch(0, 3))
    before = await sink.flush()
    monkeypatch.setattr(Full, "room", False)
    with pytest.raises(OSError, match=rf"No space left.*out\{ending}\.part") as caught:
        await sink.write(batch(3, 2))
        await sink.flush()  # a .npy holds its batches until there are enough of them
    assert caught.value.errno == errno.ENOSPC
    if ending == ".jsonl":
        assert await sink.flush() == before
    await sink.close(complete=False)
    monkeypatch.setattr(Full, "room", True)
    await written(open_sink(path), batch(3, 2), state=before)
    assert holds(path, 5)


async def test_what_a_full_disk_did_not_take_of_numpy_is_written_with_the_next_flush(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aiomlcommons.ingest.sinks._part_file.io.FileIO", Full)
    sink = NpySink(tmp_path / "out.npy")
    await sink.open(None)
    for first in (0, 2):
        await sink.write(batch(first, 2))
    write = sink._ids_part.write
    monkeypatch.setattr(sink._ids_part, "write", fails)  # after the vectors
    with pytest.raises(OSError, match="Input/output"):
        await sink.flush()
    monkeypatch.setattr(sink._ids_part, "write", write)
    await sink.write(batch(4, 1))
    assert (await sink.flush())["rows"] == 5
    await sink.write(batch(5, 1))
    monkeypatch.setattr(Full, "room", False)
    with pytest.raises(OSError, match="No space left"):
        await sink.close(complete=True)
    assert not (tmp_path / "out.npy").exists()
    monkeypatch.setattr(Full, "room", True)


async def test_vectors_wait_until_there_are_enough_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sink, written_out = NpySink(tmp_path / "out.npy"), list[int]()
    await sink.open(None)
    write_out = sink._write_out

    def noted() -> None:
        written_out.append(len(sink._held))
        write_out()

    monkeypatch.setattr(sink, "_write_out", noted)
    big = np.arange(64 * 512, dtype="f4").reshape(64, 512)
    for first in range(0, 640, 64):
        await sink.write(documents([{"id": f"d{i}"} for i in range(first, first + 64)], big))
        assert sink._bytes <= 1 << 20
    assert written_out == [9], "the ninth, which completes 1 MB, with those before it"
    other = documents([{"id": "x"}], np.zeros((1, 7), "f4"))
    assert "a vector of 7 <f4 after vectors of 512 <f4" in (await sink.write(other))[0].why
    await sink.close(complete=True)
    assert np.array_equal(np.load(tmp_path / "out.npy"), np.concatenate([big] * 10))
    lines = (tmp_path / "out.npy.ids.jsonl").read_bytes().splitlines()
    assert [orjson.loads(line) for line in lines] == [{"row": None, "id": f"d{i}"} for i in range(640)]


@given(st.lists(st.text('a"\\},{:\n\u2028é'), min_size=1, max_size=9), st.booleans())
async def test_the_lines_of_ids_are_those_that_are_written_one_by_one(ids: list[str], numbered: bool) -> None:
    numbers: Any = range(7, 7 + len(ids)) if numbered else ()
    found = npy_lines(Documents(ids, [{} for _ in ids], ids, vectors(0, len(ids)), numbers))
    expected = [{"row": 7 + i if numbered else None, "id": key} for i, key in enumerate(ids)]
    assert found == b"".join(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE) for line in expected)


class Little(io.FileIO):
    """A file with short writes, as on a disk that is nearly full."""

    def write(self, data: Any, /) -> int:
        return super().write(memoryview(data)[:7])


@every_file
async def test_a_disk_that_takes_less_than_it_is_given_gets_the_rest(
    tmp_path: Path, ending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("_part_file", "_parquet_parts"):
        monkeypatch.setattr(f"aiomlcommons.ingest.sinks.{module}.io.FileIO", Little)
    await written(open_sink(tmp_path / f"out{ending}"), batch(0, 9))
    assert holds(tmp_path / f"out{ending}", 9)


async def test_a_full_disk_leaves_the_numbered_files_of_parquet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "out.parquet"
    sink = ParquetSink(path)
    await sink.open(None)
    await sink.write(batch(0, 3))
    state = await sink.flush()
    await sink.write(batch(3, 2))
    monkeypatch.setattr("aiomlcommons.ingest.sinks._parquet_parts.io.FileIO", Full)
    monkeypatch.setattr(Full, "room", False)
    with pytest.raises(OSError, match=r"No space left.*00000001\.part"):
        await sink.flush()
    assert {one.name for one in (tmp_path / "out.parquet.parts").iterdir()} == {"00000000.arrow", "lock"}
    monkeypatch.setattr(Full, "room", True)
    assert (await sink.flush())["rows"] == 5, "what was not written is still held, and written with the next flush"
    monkeypatch.setattr(Full, "room", False)
    with pytest.raises(OSError, match=r"No space left.*out\.parquet\.part"):
        await sink.close(complete=True)
    assert not path.exists()
    monkeypatch.setattr(Full, "room", True)
    await written(ParquetSink(path), batch(3, 1), state=state)
    assert holds(path, 4)


async def test_a_failed_fsync_is_not_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = JsonLinesSink(tmp_path / "out.jsonl")
    await sink.open(None)
    await sink.write(batch(0, 3))
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fails)
        with pytest.raises(OSError, match=r"out\.jsonl\.part"):
            await sink.flush()
    with pytest.raises(OSError, match=r"out\.jsonl\.part"):
        await sink.flush()
    with pytest.raises(OSError, match=r"out\.jsonl\.part"):
        await sink.close(complete=True)
    assert not (tmp_path / "out.jsonl").exists()


def fails(*_: Any) -> None:
    raise OSError(errno.EIO, "Input/output error")


# ---- refused documents -----------------------------------------------------------------------------------------------


async def test_json_lines_refuse_what_json_cannot_hold_and_take_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    rows: list[Any] = [{"id": "a"}, {"id": "b", "raw": b"\xff"}, {"id": "c"}, {"id": "d", "n": {1, 2}}, {"id": "e"}]
    given_ = vectors(0, 5)
    given_[2, 1] = np.nan
    refused = await written(JsonLinesSink(path, field="v"), documents(rows, given_))
    assert {one.index: one.why.partition(":")[0] for one in refused} == {
        1: "its field 'raw' is of type bytes, which JSON cannot hold",
        2: "its vector holds NaN or infinity",
        3: "its field 'n' is of type set, which JSON cannot hold",
    }
    assert [(row["id"], len(row["v"])) for row in lines(path)] == [("a", DIMENSION), ("e", DIMENSION)]


class Moment(dt.datetime):
    """A subclass of datetime, as pandas.Timestamp is."""


class NoTime(Moment):
    """Not equal to itself, as ``pandas.NaT``."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return False

    def __ne__(self, other: object) -> bool:
        return True


class Day(dt.date):
    """A subclass of date."""


async def test_dates_of_any_class_are_iso_text_and_what_is_no_number_is_null(tmp_path: Path) -> None:
    utc = dt.UTC
    row = {
        "plain": dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=utc),
        "moment": Moment(2026, 1, 2, 3, 4, 5, tzinfo=utc),
        "micro": Moment(2026, 1, 2, 3, 4, 5, 6),
        "day": Day(2026, 1, 2),
        "none": NoTime(2026, 1, 2, tzinfo=utc),
        "nan": float("nan"),
        "inf": [np.float32("inf")],
    }
    wanted = {
        "plain": "2026-01-02T03:04:05+00:00",
        "moment": "2026-01-02T03:04:05+00:00",
        "micro": "2026-01-02T03:04:05.000006",
        "day": "2026-01-02",
        "none": None,
        "nan": None,
        "inf": [None],
    }
    given_ = documents([row], vectors(0, 1))
    assert await written(JsonLinesSink(tmp_path / "out.jsonl"), given_) == []
    made, refused = actions(given_, "embedding", base64=False)
    assert not refused
    for line in ((tmp_path / "out.jsonl").read_bytes(), made.body.splitlines()[1]):
        assert {**orjson.loads(line), "embedding": 0} == {**wanted, "embedding": 0}


async def test_a_timestamp_of_pandas_is_iso_text(tmp_path: Path) -> None:
    pandas: Any = pytest.importorskip("pandas")
    rows: list[Any] = [{"at": pandas.Timestamp("2026-01-02 03:04:05.000000006")}, {"at": pandas.NaT}]
    assert await written(JsonLinesSink(tmp_path / "out.jsonl"), documents(rows, vectors(0, 2))) == []
    assert [row["at"] for row in lines(tmp_path / "out.jsonl")] == ["2026-01-02T03:04:05.000000006", None]


async def test_numbers_are_written_digit_by_digit(tmp_path: Path) -> None:
    row = {"id": "a", "hash": 12345678901234567890123, "price": Decimal("9.990"), "ids": [-(2**70), np.int64(7)]}
    assert await written(JsonLinesSink(tmp_path / "out.jsonl"), documents([row], vectors(0, 1))) == []
    line = (tmp_path / "out.jsonl").read_bytes()
    assert line.startswith(
        b'{"id":"a","hash":12345678901234567890123,"price":9.990,"ids":[-1180591620717411303424,7],"embedding":['
    )


@pytest.mark.parametrize("field", ["embedding", "v"])
async def test_a_key_with_the_name_of_the_vector_is_replaced_whatever_it_holds(tmp_path: Path, field: str) -> None:
    sink = JsonLinesSink(tmp_path / "out.jsonl", field=field)
    given_ = documents([{"id": "a", "embedding": b"old", "v": b"old"}], vectors(0, 1))
    other = {"embedding": "v", "v": "embedding"}[field]
    assert [one.why.split(" is of")[0] for one in sink.screen(given_.ids, given_.rows)] == [f"its field {other!r}"]
    rest = documents([{"id": "a", field: b"old"}], vectors(0, 1))
    assert sink.screen(rest.ids, rest.rows) == []
    assert await written(sink, rest) == []
    assert lines(tmp_path / "out.jsonl")[0][field] == pytest.approx(vectors(0, 1)[0].tolist())


@pytest.mark.parametrize("dtype", [">f4", "f8", "f2", "i1", "u1"])
async def test_vectors_of_any_type_and_layout_are_written_right(tmp_path: Path, dtype: str) -> None:
    wanted = np.arange(24).reshape(6, 4).astype(dtype)[:, ::2]
    for ending in ENDINGS:
        path = tmp_path / f"out{ending}"
        await written(open_sink(path), documents([{"id": str(i)} for i in range(6)], wanted))
        found = np.load(path) if ending == ".npy" else [row["embedding"] for row in rows_of(path)]
        assert np.array_equal(found, wanted), ending


def rows_of(path: Path) -> list[dict[str, Any]]:
    return lines(path) if path.suffix == ".jsonl" else pq.read_table(path).to_pylist()


@pytest.mark.parametrize("kind", [NpySink, ParquetSink])
async def test_a_vector_of_another_dimension_is_refused(tmp_path: Path, kind: Callable[[Path], Any]) -> None:
    path = tmp_path / f"out{'.npy' if kind is NpySink else '.parquet'}"
    other = documents([{"id": "x"}, {"id": "y"}], np.zeros((2, 3), "f4"))
    refused = await written(kind(path), batch(0, 2), other, batch(2, 1))
    assert [one.index for one in refused] == [0, 1]
    assert "3" in refused[0].why
    assert holds(path, 3)


async def test_sparse_vectors_are_objects_in_json_and_maps_in_parquet_and_not_for_numpy(tmp_path: Path) -> None:
    await written(open_sink(tmp_path / "out.jsonl"), sparse(0, 2), sparse(2, 1))
    assert lines(tmp_path / "out.jsonl")[2]["embedding"] == {"t2": 2.5, "all": 1.0}
    await written(open_sink(tmp_path / "out.parquet"), sparse(0, 2), sparse(2, 1))
    column = pq.read_table(tmp_path / "out.parquet").column("embedding")
    assert column.type == pa.map_(pa.string(), pa.float32())
    assert column.to_pylist()[2] == [("t2", 2.5), ("all", 1.0)]
    sink = open_sink(tmp_path / "out.npy")
    await sink.open(None)
    with pytest.raises(SinkError, match=r"out\.npy cannot hold the vectors of a sparse model"):
        await sink.write(sparse(0, 2))
    await sink.close(complete=False)


# ---- parquet ---------------------------------------------------------------------------------------------------------


async def test_dense_vectors_are_fixed_lists_of_float32_over_the_arrays_own_memory(tmp_path: Path) -> None:
    sink, one = ParquetSink(tmp_path / "out.parquet"), batch(0, 5)
    await sink.open(None)
    await sink.write(one)
    seen = [table.column("embedding").chunk(0).values.buffers()[1].address for table in sink._tables]
    assert seen == [one.vectors.ctypes.data]  # type: ignore[union-attr]
    await sink.close(complete=True)
    assert pq.read_schema(tmp_path / "out.parquet").field("embedding").type == pa.list_(pa.float32(), DIMENSION)


async def test_rows_of_many_kinds_become_one_schema_before_and_after_a_crash(tmp_path: Path) -> None:
    path = tmp_path / "out.parquet"
    rows: list[Any] = [
        {"id": "0", "n": 1, "meta": {"a": 1}, "tags": []},
        {"id": "1", "n": 2.5, "meta": {"b": "x"}, "tags": ["t"], "new": True},
        {"id": "2", "meta": {}, "tags": None, "deep": [{"e": {}}]},
        {"id": "3", "n": 1 << 53, "meta": None},
        {},
    ]
    sink, state = ParquetSink(path), None
    for i, row in enumerate(rows):
        await sink.open(state)
        assert await sink.write(documents([row], vectors(i, 1))) == []
        state = await sink.flush()
        await sink.close(complete=False)
        sink = ParquetSink(path)
    await written(sink, state=state)
    found = pq.read_table(path).to_pylist()
    assert [row["n"] for row in found] == [1.0, 2.5, None, float(1 << 53), None]
    assert [row["meta"] for row in found] == [{"a": 1, "b": None}, {"a": None, "b": "x"}, None, None, None]
    assert [row["tags"] for row in found] == [[], ["t"], None, None, None]
    assert [row["new"] for row in found] == [None, True, None, None, None]
    assert [row["id"] for row in found] == ["0", "1", "2", "3", None]
    assert np.array_equal([row["embedding"] for row in found], vectors(0, 5))


async def test_a_row_that_no_schema_takes_is_refused_alone_with_its_column(tmp_path: Path) -> None:
    path = tmp_path / "out.parquet"
    rows: list[Any] = [{"id": "a", "n": 1}, {"id": "b", "n": "one"}, {"id": "c", "n": object()}, {7: 7}, {"id": "e"}]
    sink = ParquetSink(path)
    assert [one.index for one in sink.screen([], rows)] == [1, 2, 3]
    refused = await written(ParquetSink(path), documents(rows, vectors(0, 5)))
    assert [(one.index, one.why.split(", which")[0].split(": Could")[0]) for one in refused] == [
        (1, "its field 'n' is string, and int64 in rows before it: give it one type in all rows, or write .jsonl"),
        (2, "its field 'n' has no type in Arrow"),
        (3, "it has the key 7, and columns have only text as names"),
    ]
    found = pq.read_table(path).to_pylist()
    assert [(row["id"], row["n"]) for row in found] == [("a", 1), ("e", None)]
    assert np.array_equal([row["embedding"] for row in found], vectors(0, 5)[[0, 4]])


async def test_rows_keep_types_that_json_does_not_have(tmp_path: Path) -> None:
    path = tmp_path / "out.parquet"
    await written(
        ParquetSink(path), batch(0, 2, price=Decimal("1.50"), raw=b"\xff"), batch(2, 1, price=Decimal("22.5"), raw=b"")
    )
    assert {str(row["price"]) for row in pq.read_table(path).to_pylist()} == {"1.50", "22.50"}
    assert {row["raw"] for row in pq.read_table(path).to_pylist()} == {b"\xff", b""}


async def test_memory_and_row_groups_are_bounded_however_often_it_is_flushed(tmp_path: Path) -> None:
    path = tmp_path / "out.parquet"
    sink = ParquetSink(path, held=1000)
    await sink.open(None)
    for first in range(0, 100, 10):
        await sink.write(batch(first, 10))
        assert sum(table.nbytes for table in sink._tables) < 1000
    await sink.flush()
    assert len(list((tmp_path / "out.parquet.parts").iterdir())) >= 3
    await sink.close(complete=True)
    assert pq.ParquetFile(path).num_row_groups == 1
    assert holds(path, 100)


async def test_large_parts_are_joined_in_several_row_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "GROUP_ROWS", 25)
    path = tmp_path / "out.parquet"
    sink = ParquetSink(path)
    await sink.open(None)
    for first in range(0, 100, 10):
        await sink.write(batch(first, 10))
        await sink.flush()
    await sink.close(complete=True)
    metadata = pq.read_metadata(path)
    assert [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)] == [30, 30, 30, 10]
    assert holds(path, 100)


async def test_joining_needs_the_memory_of_a_row_group_or_two_however_large_the_parts_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "GROUP_BYTES", 1 << 20)
    sink = ParquetSink(tmp_path / "out.parquet")
    await sink.open(None)
    for first in range(0, 16_384, 4096):
        rows = [{"id": f"d{i}"} for i in range(first, first + 4096)]
        await sink.write(documents(rows, np.random.default_rng(first).random((4096, 256), "f4")))
        await sink.flush()
    usual, counting = pa.default_memory_pool(), pa.proxy_memory_pool(pa.default_memory_pool())
    pa.set_memory_pool(counting)
    try:
        await sink.close(complete=True)
    finally:
        pa.set_memory_pool(usual)
    assert counting.max_memory() < 3.5 * (1 << 20)
    assert pq.read_metadata(tmp_path / "out.parquet").num_rows == 16_384


async def test_without_pyarrow_the_error_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pyarrow.parquet", None)
    with pytest.raises(ImportError, match=r"pip install 'aiomlcommons\[arrow\]'"):
        await ParquetSink(tmp_path / "out.parquet").open(None)
