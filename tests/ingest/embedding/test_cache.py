"""Vector caches: in memory, and in an SQLite file that jobs share."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aiomlcommons.ingest.embedding.cache import CacheFile, MemoryCache
from aiomlcommons.ingest.errors import CacheError

pytestmark = pytest.mark.asyncio
MODEL = {"model": "m", "version": "1", "hash": "h"}
VECTORS: dict[str, Any] = {
    "one": np.array([1, 2.5], np.float32),
    "two": np.array([3, 4], np.int8),
    "three": np.array([0.1], ">f8"),
}


@contextmanager
def opened(path: Path, model: Any = MODEL, target: str = "index") -> Iterator[CacheFile]:
    with closing(CacheFile(path, model, target)) as file:
        yield file


def same(found: dict[str, Any], expected: dict[str, Any]) -> bool:
    assert found.keys() == expected.keys()
    return all(v.dtype == expected[k].dtype and np.array_equal(v, expected[k]) for k, v in found.items())


async def test_the_last_texts_are_known_and_the_first_forgotten() -> None:
    recent = MemoryCache(most=3 * 209)
    for number in range(5):
        await recent.keep([str(number)], np.full((1, 2), number, np.float32))
    assert list(await recent.find(list("043"))) == ["4", "3"]
    assert (await recent.find(["2"]))["2"].tolist() == [2, 2]


async def test_a_batch_without_vectors_takes_no_memory() -> None:
    cache = MemoryCache()
    for _ in range(1000):
        await cache.keep([], [])
    assert not cache._batches


async def test_a_file_knows_every_kind_of_vector_in_the_next_job_too(tmp_path: Path) -> None:
    def first() -> None:
        with opened(tmp_path / "v.sqlite") as file:
            asyncio.run(file.keep(list(VECTORS), list(VECTORS.values())))

    def second() -> dict[str, Any]:
        with opened(tmp_path / "v.sqlite") as file:
            return asyncio.run(file.find([*VECTORS, "four"]))

    await asyncio.to_thread(first)
    assert same(await asyncio.to_thread(second), VECTORS)


async def test_sparse_vectors_come_back_as_they_were(tmp_path: Path) -> None:
    def run() -> Any:
        with opened(tmp_path / "v.sqlite") as file:
            asyncio.run(file.keep(["one", "two"], [{"a": 0.1, "日": 2.0}, {}]))
            return asyncio.run(file.find(["one", "two"]))

    assert await asyncio.to_thread(run) == {"one": {"a": 0.1, "日": 2.0}, "two": {}}


@pytest.mark.parametrize(
    "other", [{**MODEL, "version": "2"}, {**MODEL, "hash": "i"}, {**MODEL, "content_type": "query"}]
)
async def test_another_model_or_version_knows_nothing_of_them(tmp_path: Path, other: dict[str, str]) -> None:
    def run() -> Any:
        with opened(tmp_path / "v.sqlite") as file, opened(tmp_path / "v.sqlite", other) as another:
            asyncio.run(file.keep(list(VECTORS), list(VECTORS.values())))
            asyncio.run(file.written([("d1", "text")]))
            return asyncio.run(another.find([*VECTORS])), another.unchanged([("d1", "text")])

    assert await asyncio.to_thread(run) == ({}, [False])


async def test_what_was_written_is_known_by_sink_id_and_text(tmp_path: Path) -> None:
    def run() -> Any:
        with opened(tmp_path / "v.sqlite") as file, opened(tmp_path / "v.sqlite", target="other") as other:
            asyncio.run(file.written([("d1", "text"), ("d2", "old")]))
            asyncio.run(file.written([("d2", "new")]))
            asked = [("d1", "text"), ("d1", "other"), ("d2", "old"), ("d2", "new"), ("d3", "text")]
            return file.unchanged(asked), other.unchanged(asked)

    assert await asyncio.to_thread(run) == ([True, False, False, True, False], [False] * 5)


async def test_what_is_no_such_file_is_refused_with_its_name(tmp_path: Path) -> None:
    path = tmp_path / "v.sqlite"
    await asyncio.to_thread(path.write_bytes, b"this is a text of mine, and no database" * 100)
    with pytest.raises(CacheError, match=r"v\.sqlite: file is not a database; name another file, or remove"):
        await asyncio.to_thread(CacheFile, path, MODEL)


async def test_another_database_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    def run() -> None:
        with closing(sqlite3.connect(tmp_path / "v.sqlite")) as db:
            db.execute("CREATE TABLE vectors (mine TEXT)")
        with opened(tmp_path / "v.sqlite") as file, pytest.raises(CacheError, match=r"v\.sqlite"):
            asyncio.run(file.keep(list(VECTORS), list(VECTORS.values())))

    await asyncio.to_thread(run)
