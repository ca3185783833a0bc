"""Fields that no row has: said before anything is embedded, with the fields that there are."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
from collections.abc import AsyncGenerator, Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from aiomlcommons import InvalidRequest
from aiomlcommons.inference.fields import FieldMap
from aiomlcommons.ingest.sources import CsvSource, IterableSource, JsonlSource, MappedSource
from aiomlcommons.ingest.types import Documents, Row
from tests.support.fifo import written_to
from tests.support.jobs import JobsOnAnEmulator, Memory

pytestmark = pytest.mark.asyncio


def people(count: int) -> list[Row]:
    return [{"name": f"n{number}", "city": f"c{number}", "meta": {"title": f"t{number}"}} for number in range(count)]


def write(path: Path, rows: list[Row]) -> Path:
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    return path


async def refused(world: JobsOnAnEmulator, source: Any, *, model: str | None = None, **how: Any) -> str:
    """Run a job that must be refused without a request to the model and without a file; return why."""
    before = await asyncio.to_thread(lambda: {*world.folder.iterdir()})
    asked: list[Any] = []

    async def listen(request: Any, go: Any) -> Any:
        asked.append(await request.read())
        return await go()

    world.emulator.faults.add(listen, on=lambda http: http.path.endswith("_predict"), times=None)
    files = {"sink": world.folder / "out.parquet", "checkpoint": world.folder / "job"}
    with pytest.raises(InvalidRequest) as error:
        async with world.ml.ingest(source, model=model or world.model_id, **{**files, **how}) as job:
            await job
    assert not asked
    assert await asyncio.to_thread(lambda: {*world.folder.iterdir()}) == before
    return str(error.value)


async def taken(world: JobsOnAnEmulator, source: Any, **how: Any) -> list[Row]:
    """Run a job to its end; return the rows that the sink got."""
    rows: list[Row] = []

    def keep(batch: Documents) -> None:
        rows.extend(batch.rows)

    async with world.ml.ingest(source, model=world.model_id, sink=keep, **how) as job:
        await job
    return rows


async def test_a_field_that_no_row_has_is_named_with_those_that_there_are(world: JobsOnAnEmulator) -> None:
    source = write(world.folder / "people.jsonl", people(3))
    why = await refused(world, source, text="nam")
    assert why == (
        f"no row of {source} has the field 'nam' (did you mean 'name'?); the fields are: "
        "name, city, meta, meta.title; set text= (--text) to one of them; "
        f"no row of {source} has the field 'id'; the fields are: name, city, meta, meta.title; "
        "set id= (--id) to one of them, or id=None (--id '') to number the rows"
    )


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("{name} of {town}", ["'town'"]),
        ("{nme} of {town}", ["'nme' (did you mean 'name'?)", "'town'"]),
        ("meta.tilte", ["'meta.tilte' (did you mean 'meta.title'?)"]),
        ("Name", ["'Name' (did you mean 'name'?)"]),
    ],
)
async def test_of_a_template_those_fields_are_named_that_no_row_has(
    world: JobsOnAnEmulator, text: str, named: list[str]
) -> None:
    why = await refused(world, people(5), text=text, id="name")
    assert [part for part in named if part in why] == named
    assert why.count("has the field") == len(named)


async def test_an_id_may_be_a_path_as_a_text(world: JobsOnAnEmulator) -> None:
    kept: list[str] = []

    def keep(batch: Documents) -> None:
        kept.extend(batch.ids)

    async with world.ml.ingest(people(2), model=world.model_id, sink=keep, text="city", id="meta.title") as job:
        await job
    assert kept == ["t0", "t1"]
    assert "did you mean 'meta.title'?" in await refused(world, people(3), text="city", id="meta.titel")


async def test_with_a_default_one_field_of_a_template_is_enough(world: JobsOnAnEmulator) -> None:
    rows = await taken(world, people(3), text="{name} of {town}", text_default="nowhere", id="name")
    assert len(rows) == 3
    why = await refused(world, people(3), text="{nme} of {town}", text_default="nowhere", id="name")
    assert why.count("has the field") == 2


async def test_a_wrong_field_is_found_before_the_model_is_ensured(world: JobsOnAnEmulator) -> None:
    await refused(world, people(5), text="nothing", id=None, model="no-such-model")


class Sources:
    """The same rows from many kinds of sources; those of the last group can be read once only, or may wait."""

    @staticmethod
    def csv(folder: Path, rows: list[Row]) -> Any:
        path = folder / "in.csv"
        path.write_text("name,city\n" + "".join(f"{row['name']},{row['city']}\n" for row in rows))
        return CsvSource(path)

    @staticmethod
    def parquet(folder: Path, rows: list[Row]) -> Any:
        pa: Any = pytest.importorskip("pyarrow")
        pq: Any = pytest.importorskip("pyarrow.parquet")
        pq.write_table(pa.Table.from_pylist([dict(row) for row in rows]), folder / "in.parquet")
        return folder / "in.parquet"

    @staticmethod
    def frame(folder: Path, rows: list[Row]) -> Any:
        pandas: Any = pytest.importorskip("pandas")
        return pandas.DataFrame(rows)

    @staticmethod
    def mapped(folder: Path, rows: list[Row]) -> Any:
        return MappedSource(JsonlSource(write(folder / "in.jsonl", rows)), FieldMap({"name": "name", "city": "city"}))

    @staticmethod
    def a_list(folder: Path, rows: list[Row]) -> Any:
        return rows

    @staticmethod
    def own(folder: Path, rows: list[Row]) -> Any:
        return Memory(rows, at_once=7)

    @staticmethod
    def iterator(folder: Path, rows: list[Row]) -> Any:
        return iter(rows)

    @staticmethod
    def function(folder: Path, rows: list[Row]) -> Any:
        return lambda: iter(rows)

    @staticmethod
    def arriving(folder: Path, rows: list[Row]) -> Any:
        async def arrive() -> AsyncGenerator[Row]:
            for row in rows:
                await asyncio.sleep(0)
                yield row

        return arrive()


KINDS = [name for name in vars(Sources) if not name.startswith("_")]


@pytest.mark.parametrize("kind", KINDS)
async def test_every_kind_of_source_is_looked_at_and_loses_no_row(world: JobsOnAnEmulator, kind: str) -> None:
    make: Callable[[Path, list[Row]], Any] = getattr(Sources, kind)
    source = await asyncio.to_thread(make, world.folder, people(30))
    assert "the fields are: name, city" in await refused(world, source, id="name")
    source = await asyncio.to_thread(make, world.folder, people(1_300))
    rows = await taken(world, source, text="city", id="name")
    assert [row["name"] for row in rows] == [row["name"] for row in people(1_300)]


@pytest.mark.skipif(sys.platform == "win32", reason="no named pipes")
async def test_a_pipe_is_looked_at_and_loses_no_row(world: JobsOnAnEmulator) -> None:
    for name, wrong in (("bad.jsonl", True), ("good.jsonl", False)):
        path = world.folder / name
        await asyncio.to_thread(os.mkfifo, path)
        content = b"".join(orjson.dumps(row) + b"\n" for row in people(500))
        with written_to(path, content):
            if wrong:
                assert "the fields are: name" in await refused(world, path, id="name")
            else:
                assert len(await taken(world, path, text="city", id="name")) == 500


async def test_a_field_that_one_of_the_first_rows_has_is_no_mistake(world: JobsOnAnEmulator) -> None:
    rows = [*people(999), {"name": "last", "city": "c", "body": "text"}]
    for source in (rows, iter(rows)):
        kept = await taken(world, source, text="body", id="name", dead_letters=world.folder / "dead", max_failures=999)
        assert [row["name"] for row in kept] == ["last"]


async def test_only_the_first_thousand_rows_are_looked_at(world: JobsOnAnEmulator) -> None:
    rows: list[Row] = [*people(1_000), {"name": "late", "body": "text"}]
    for source in (rows, iter(rows)):
        assert "none of the first 1,000 rows of rows has the field 'body'" in await refused(
            world, source, text="body", id="name"
        )


async def test_rows_before_an_error_of_the_source_are_settled(world: JobsOnAnEmulator) -> None:
    def rows() -> Iterator[Row]:
        yield {"id": "a"}
        raise OSError("row 1 cannot be read")

    dead = world.folder / "dead"
    with pytest.raises(OSError, match="row 1 cannot be read"):
        await taken(world, rows, dead_letters=dead)
    assert orjson.loads(await asyncio.to_thread(dead.read_bytes))["why"] == "it has no field 'text'"


async def test_what_functions_read_is_not_looked_for(world: JobsOnAnEmulator) -> None:
    rows = await taken(world, people(3), text=lambda row: row["city"], id=lambda row: row["name"])
    assert len(rows) == 3


async def test_a_source_of_bad_rows_alone_is_no_wrong_field(world: JobsOnAnEmulator) -> None:
    path = world.folder / "in.jsonl"
    await asyncio.to_thread(path.write_bytes, b"{\n" * 1_200)
    assert await taken(world, path, dead_letters=world.folder / "dead", max_failures=1_200) == []


async def test_an_empty_source_is_no_wrong_field(world: JobsOnAnEmulator) -> None:
    assert await taken(world, []) == []
    assert await taken(world, iter([])) == []


@pytest.mark.parametrize("once", [False, True])
async def test_texts_without_ids_get_numbers_and_that_is_said(
    world: JobsOnAnEmulator, once: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "aiomlcommons")
    ids: list[str] = []

    def keep(batch: Documents) -> None:
        ids.extend(batch.ids)

    texts = ["a", "b", "c"]
    source = IterableSource(iter(texts) if once else texts)
    async with world.ml.ingest(source, model=world.model_id, sink=keep) as job:
        report = await job
    assert (ids, report.written, report.failed) == (["0", "1", "2"], 3, 0)
    assert "rows holds texts without ids: each gets the number of its row" in caplog.messages
