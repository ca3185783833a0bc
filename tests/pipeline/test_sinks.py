"""Files of rows with vectors: whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest

from aiomlcommons.pipeline.embed import Batch
from aiomlcommons.pipeline.sinks import JsonLines, Npy, file_sink

pytestmark = pytest.mark.asyncio


def batch(rows: list[Any], start: int = 0, dtype: str = "f4", dimension: int = 2) -> Batch[Any]:
    numbers = np.arange(len(rows) * dimension).reshape(len(rows), dimension)
    return Batch(0, start, rows, (numbers + start * dimension).astype(dtype))


async def test_json_lines_hold_rows_with_their_vectors(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    async with JsonLines(path, field="v") as sink:
        await sink.write(batch([{"id": 1}, {"id": 2}]))
        await sink.write(batch(["only text"], 2))
    rows = [orjson.loads(line) for line in path.read_bytes().splitlines()]
    assert rows == [{"id": 1, "v": [0, 1]}, {"id": 2, "v": [2, 3]}, {"text": "only text", "v": [4, 5]}]


@pytest.mark.parametrize("dtype", ["f4", "f8", "i1"])
async def test_npy_is_one_array_that_numpy_reads(tmp_path: Path, dtype: str) -> None:
    path = tmp_path / "out.npy"
    async with Npy(path) as sink:
        await sink.write(batch(["a", "b"], dtype=dtype))
        await sink.write(batch(["c"], 2, dtype=dtype))
    array = np.load(path)
    assert array.dtype == np.dtype(dtype)
    assert array.tolist() == [[0, 1], [2, 3], [4, 5]]
    assert np.load(path, mmap_mode="r").shape == (3, 2)


async def test_an_empty_npy_is_an_array_too(tmp_path: Path) -> None:
    async with Npy(tmp_path / "out.npy"):
        pass
    assert np.load(tmp_path / "out.npy").shape == (0, 0)


@pytest.mark.parametrize("other", [batch(["c"], dimension=3), batch(["c"], dtype="f8")])
async def test_npy_refuses_vectors_of_another_shape_or_type(tmp_path: Path, other: Batch[Any]) -> None:
    with pytest.raises(ValueError, match="after vectors of"):
        async with Npy(tmp_path / "out.npy") as sink:
            await sink.write(batch(["a"]))
            await sink.write(other)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["out.jsonl", "out.npy"])
async def test_a_failure_leaves_the_old_file_and_no_other(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"old")
    with pytest.raises(LookupError):
        async with file_sink(path) as sink:
            await sink.write(batch(["a"]))
            assert path.read_bytes() == b"old"
            raise LookupError
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


async def test_an_unknown_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"cannot write \.parquet: name it \.jsonl or \.npy"):
        file_sink(tmp_path / "out.parquet")
    with pytest.raises(ValueError, match="a file without ending"):
        file_sink(tmp_path / "out")


async def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none/out\.npy"):
        async with Npy(tmp_path / "none" / "out.npy"):
            pass
