"""Rows split into documents, in sources and in whole jobs."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import orjson
import pytest

from aiomlcommons import ApiError
from aiomlcommons.ingest import BadRow, Chunks, FilesSource, IterableSource
from aiomlcommons.ingest.options import JobOptions
from aiomlcommons.ingest.sources import chunking, once_only, open_source
from aiomlcommons.ingest.types import Source
from tests.support.jobs import JobsOnAnEmulator
from tests.support.sources import batches_of, check_positions, rows_of

pytestmark = pytest.mark.asyncio
WORDS: dict[str, Any] = {"chunk": str.split}


def chunked(source: Any, **options: Any) -> Source:
    opened = source if isinstance(source, FilesSource) else open_source(source)
    return JobOptions(**{**WORDS, **options}).chunked(opened)


async def test_each_document_is_its_row_with_a_chunk_and_an_id_of_its_own() -> None:
    rows = [{"id": "a", "text": "one two", "n": 1}, {"id": 7, "text": "three"}]
    assert await rows_of(chunked(rows)) == [
        {"id": "a#0", "text": "one", "n": 1, "parent_id": "a", "chunk": 0},
        {"id": "a#1", "text": "two", "n": 1, "parent_id": "a", "chunk": 1},
        {"id": "7#0", "text": "three", "parent_id": "7", "chunk": 0},
    ]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"text": "meta.body", "id": "key"}, {"meta": {"body": "x", "n": 1}, "key": "k#0", "parent_id": "k"}),
        ({"text": "key", "id": "meta.n"}, {"meta": {"body": "x", "n": "1#0"}, "key": "k", "parent_id": "1"}),
        ({"text": "{meta.body}!", "id": None}, {"text": "x!", "parent_id": "0"}),
        ({"text": lambda row: row["meta"]["body"], "id": lambda row: row["key"]}, {"text": "x", "parent_id": "k"}),
    ],
)
async def test_the_chunk_is_where_the_text_was_or_under_text(options: Any, expected: dict[str, Any]) -> None:
    row = {"key": "k", "meta": {"body": "x", "n": 1}}
    assert await rows_of(chunked([row], **options)) == [{**row, "chunk": 0, **expected}]


async def test_every_row_has_chunks_or_is_named() -> None:
    rows = [
        {"id": "a"},
        BadRow("w", "x"),
        {"text": "a"},
        {"id": "b", "text": "x", "chunk": 5},
        {"id": "c", "text": "y"},
    ]
    first, second, third, fourth, fifth = await rows_of(chunked(IterableSource(rows, name="mine")))
    assert [first, second, third] == rows[:3]
    assert isinstance(fourth, BadRow)
    assert (fourth.where, "has a field 'chunk' already" in fourth.why) == ("mine, row 3 (id 'b')", True)
    assert isinstance(fifth, dict)
    assert fifth["id"] == "c#0"
    (failed,) = await rows_of(chunked([{"id": "a", "text": "b"}], chunk=lambda text: 1 / 0))
    assert isinstance(failed, BadRow)
    assert "its text cannot be split: ZeroDivisionError" in failed.why


async def test_reading_on_from_any_position_gives_exactly_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunking, "ROWS_AT_ONCE", 7)
    rows = [{"id": n, "text": "word " * (n % 5)} for n in range(300)]
    for file in range(2):
        lines = b"".join(orjson.dumps(row) + b"\n" for row in rows[150 * file :][:150])
        await asyncio.to_thread((tmp_path / f"{file}.jsonl").write_bytes, lines)
    files = FilesSource([tmp_path / "0.jsonl", tmp_path / "1.jsonl"])
    for source in (IterableSource(rows), files):
        documents = await check_positions(lambda source=source: chunked(source))  # type: ignore[misc]
        assert len(documents) == sum(max(1, n % 5) for n in range(300))
    assert (await batches_of(chunked(files)))[-1].share == 1
    assert not await asyncio.to_thread(once_only, chunked(files))
    assert await chunked(files).count() is None


async def test_a_job_of_chunks_counts_each_as_a_row_and_is_gone_on_with(world: JobsOnAnEmulator) -> None:
    rows = [{"id": f"d{n}", "text": f"first {n}. second {n}. third {n}."} for n in range(100)]
    rows[7]["text"] = ""
    out = world.folder / "out.jsonl"
    how: dict[str, Any] = {"chunk": Chunks(size=12), "checkpoint": world.folder / "job", "batch": 8}
    world.emulator.faults.fail(404, times=1, every=9, reason="Failed to find model")
    how |= {"model": world.model_id, "sink": out, "redeploy": False, "concurrency": 1, "checkpoint_every": 2}
    with pytest.raises(ApiError):
        async with world.ml.ingest(rows, **how) as job:
            await job
    async with world.ml.ingest(rows, **how) as job:
        report = await job
    assert (report.read, report.written, report.failed) == (298, 297, 1)
    written = [orjson.loads(line) for line in (await asyncio.to_thread(out.read_bytes)).splitlines()]
    ids = [f"d{n}#{k}" for n in range(100) if n != 7 for k in range(3)]
    assert [row["id"] for row in written] == ids
    assert written[4] | {"embedding": 0} == {
        "id": "d1#1",
        "text": "second 1.",
        "parent_id": "d1",
        "chunk": 1,
        "embedding": 0,
    }


async def test_a_later_row_of_the_same_id_is_a_duplicate_with_all_its_chunks(world: JobsOnAnEmulator) -> None:
    rows = [{"id": "a", "text": "x y"}, {"id": "b", "text": "z"}, {"id": "a", "text": "other words of a longer text"}]
    taken: list[str] = []
    async with world.ml.ingest(rows, model=world.model_id, sink=lambda b: taken.extend(b.texts), **WORDS) as job:
        report = await job
    assert (report.read, report.written, report.deduplicated, taken) == (9, 3, 6, ["x", "y", "z"])


async def test_max_chars_is_the_limit_of_a_chunk(world: JobsOnAnEmulator) -> None:
    rows = [{"id": "a", "text": "short " * 20 + "verylongword"}]
    async with world.ml.ingest(
        rows, model=world.model_id, sink=world.folder / "o.jsonl", max_chars=6, chunk=str.split
    ) as job:
        report = await job
    assert (report.written, report.failed) == (20, 1)


async def test_a_checkpoint_knows_how_texts_were_split() -> None:
    assert repr(Chunks(size=5, overlap=1)) != repr(Chunks(size=5))
    assert "str.split" in repr(Chunks(split=str.split))
    assert "object at" not in repr(Chunks(size=5, tokenizer=str.split))
