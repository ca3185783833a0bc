"""``ml.ingest`` as users call it, on an emulator, from sources to files."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pandas as pd  # type: ignore[import-untyped]
import pyarrow as pa  # type: ignore[import-untyped]
import pytest

from aiomlcommons import InvalidRequest, Session
from aiomlcommons.emulator.faults import PREDICTIONS
from aiomlcommons.inference.fields import FieldMap
from aiomlcommons.inference.methods import Side
from aiomlcommons.ingest import Chunks
from aiomlcommons.ingest.errors import ModelFails, TooManyFailures, WrongJob
from aiomlcommons.ingest.sinks import IndexSink, SinkError
from aiomlcommons.ingest.sources import CsvSource, IterableSource, MappedSource
from aiomlcommons.ingest.state.checkpoint import CheckpointFile
from aiomlcommons.ingest.stats import Report
from aiomlcommons.ingest.types import Documents, Row
from tests.support.bulk_server import bulk_server, knn
from tests.support.jobs import JobsOnAnEmulator, documents

pytestmark = pytest.mark.asyncio


async def written(path: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in (await asyncio.to_thread(path.read_bytes)).splitlines()]


async def test_rows_become_lines_with_their_vectors(world: JobsOnAnEmulator) -> None:
    out = world.folder / "out.jsonl"
    async with world.ml.ingest(documents(100), model=world.model_id, sink=out) as job:
        report = await job
    lines = await written(out)
    assert (report.written, report.dead_letters) == (100, None)
    assert [line["id"] for line in lines] == [row["id"] for row in documents(100)]
    expected = await world.ml.embed_one(world.model_id, "text number 42")
    assert lines[42]["embedding"] == pytest.approx(expected.tolist())


async def test_awaiting_it_runs_the_job_to_its_end(world: JobsOnAnEmulator) -> None:
    out = world.folder / "out.jsonl"
    report = await world.ml.ingest(documents(100), model=world.model_id, sink=out)
    assert (report.read, report.written) == (100, 100)
    assert [line["id"] for line in await written(out)] == [row["id"] for row in documents(100)]
    with pytest.raises(InvalidRequest, match="exists already"):
        await world.ml.ingest(documents(100), model=world.model_id, sink=out)
    reports = await asyncio.gather(
        *(world.ml.ingest(documents(20), model=world.model_id, sink=world.folder / f"{n}.jsonl") for n in range(3))
    )
    assert [report.written for report in reports] == [20, 20, 20]


async def test_awaiting_it_raises_what_ended_the_job(world: JobsOnAnEmulator) -> None:
    world.emulator.faults.fail(400, times=None)
    job = world.ml.ingest(documents(5), model=world.model_id, sink=world.folder / "out.jsonl", max_failures=0)
    with pytest.raises(ModelFails):
        await job
    with pytest.raises(RuntimeError, match=r"ml\.ingest\(\.\.\.\) was entered before: call it again"):
        await job


async def test_a_job_whose_awaiting_is_cancelled_is_left_and_resumes(world: JobsOnAnEmulator) -> None:
    out, note = world.folder / "out.jsonl", world.folder / "note"

    async def run() -> Report:
        return await world.ml.ingest(documents(200), model=world.model_id, sink=out, checkpoint=note, batch=10)

    asked = asyncio.Event()

    async def wait(request: Any, go: Any) -> Any:
        asked.set()
        await asyncio.Event().wait()

    world.emulator.faults.add(wait, on=PREDICTIONS, times=None)
    running = asyncio.create_task(run())
    await asked.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    world.emulator.faults.clear()
    assert (await run()).written == 200


async def test_a_series_an_array_and_an_arrow_column_are_texts(world: JobsOnAnEmulator) -> None:
    columns: list[Any] = [pd.Series(["a", "b"]), np.array(["a", "b"]), pa.array(["a", "b"]), ("a", "b")]
    for number, column in enumerate(columns):
        out = world.folder / f"{number}.jsonl"
        assert (await world.ml.ingest(column, model=world.model_id, sink=out)).written == 2
        assert [line["text"] for line in await written(out)] == ["a", "b"]


@pytest.mark.parametrize("name", ["all-MiniLM-L6-v2", "opensearch-neural-sparse-encoding-doc-v2-mini"])
async def test_a_batch_of_a_job_is_one_request_however_large_it_is(world: JobsOnAnEmulator, name: str) -> None:
    sizes: list[int] = []

    async def listen(request: Any, go: Any) -> Any:
        sizes.append(len(orjson.loads(await request.read())["text_docs"]))
        return await go()

    world.emulator.faults.add(listen, on=PREDICTIONS, times=None)
    await world.ml.ingest(documents(500), model=name, sink=world.folder / "out.jsonl", batch=250)
    assert sizes == [250, 250]


@pytest.mark.parametrize("missing", [None, float("nan")])
async def test_a_missing_text_of_a_series_is_a_dead_letter_that_says_so(world: JobsOnAnEmulator, missing: Any) -> None:
    report = await world.ml.ingest(
        pd.Series(["a", missing, "b"], dtype=object), model=world.model_id, sink=world.folder / "out.jsonl"
    )
    assert (report.written, report.failed) == (2, 1)
    (letter,) = await written(Path(report.dead_letters or ""))
    assert letter["why"] == "rows, row 1: its text is missing"


async def test_the_end_of_a_file_is_foreseen_without_counting_it(world: JobsOnAnEmulator) -> None:
    path = world.folder / "in.jsonl"
    path.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in documents(100)))
    async with world.ml.ingest(path, model=world.model_id, sink=world.folder / "out.jsonl") as job:
        await job
        assert job.stats.done == "100 of about 100 documents"


async def test_a_function_takes_whole_batches(world: JobsOnAnEmulator) -> None:
    taken: list[Documents] = []
    async with world.ml.ingest(documents(100), model=world.model_id, sink=taken.append, batch=30) as job:
        await job
    assert [len(batch) for batch in taken] == [30, 30, 30, 10]
    assert taken[0].vectors.shape == (30, 384)  # type: ignore[union-attr]


async def test_what_the_texts_are_is_told_to_the_model(world: JobsOnAnEmulator) -> None:
    told: list[Any] = []

    async def listen(request: Any, go: Any) -> Any:
        told.append(orjson.loads(await request.read()).get("parameters"))
        return await go()

    world.emulator.faults.add(listen, on=PREDICTIONS, times=None)
    sides: list[Side | None] = ["passage", None]
    for number, side in enumerate(sides):
        sink = world.folder / f"{number}.jsonl"
        async with world.ml.ingest(
            documents(3),
            model=world.model_id,
            sink=sink,
            content_type=side,
        ) as job:
            await job
    assert told == [{"content_type": "passage"}, None]


async def test_a_cache_serves_the_next_job(world: JobsOnAnEmulator) -> None:
    reports = []
    for name in ("one.jsonl", "two.jsonl"):
        sink, cache = world.folder / name, world.folder / "vectors.sqlite"
        async with world.ml.ingest(documents(50), model=world.model_id, sink=sink, cache=cache) as job:
            reports.append(await job)
    assert [report.embedded for report in reports] == [50, 0]
    assert await written(world.folder / "one.jsonl") == await written(world.folder / "two.jsonl")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"batch": 0}, "batch must be 1 or more, not 0"),
        ({"batch": "64"}, "batch must be a whole number, not '64'"),
        ({"batch": True}, "batch must be a whole number, not True"),
        ({"batch_bytes": 1.5}, "batch_bytes must be a whole number, not 1.5"),
        ({"checkpoint_every": None}, "checkpoint_every must be a whole number, not None"),
        ({"checkpoint": 5}, "checkpoint must be the path of a file, not 5"),
        ({"dead_letters": b"a"}, "dead_letters must be the path of a file, not b'a'"),
        ({"cache": True}, "cache must be the path of a file, not True"),
        ({"overwrite": "no"}, "overwrite must be True or False, not 'no'"),
        ({"redeploy": None}, "redeploy must be True or False, not None"),
        ({"ordered": 1}, "ordered must be True or False, not 1"),
        ({"skip_unchanged": "yes"}, "skip_unchanged must be True or False, not 'yes'"),
        ({"max_chars": 0}, "max_chars must be 1 or more, not 0"),
        ({"concurrency": "4"}, "concurrency must be a whole number, not '4'"),
        ({"concurrency": 0}, "concurrency must be 1 or more, not 0"),
        ({"concurrency": (3, 1)}, r"concurrency must have its lower bound first, not \(3, 1\)"),
        ({"concurrency": (1, 2, 3)}, r"concurrency must be a number or two bounds, such as \(1, 64\), not \(1, 2, 3\)"),
        ({"concurrency": (1, "4")}, "a bound of concurrency must be a whole number, not '4'"),
        ({"stall_timeout": None}, "stall_timeout must be a number, not None"),
        ({"stall_timeout": -1}, "stall_timeout must be more than 0, not -1"),
        ({"stall_timeout": float("nan")}, "stall_timeout must be more than 0, not nan"),
        ({"linger": -0.5}, "linger must be 0 or more, not -0.5"),
        ({"linger": "1"}, "linger must be a number, not '1'"),
        ({"retry_budget": -1}, "retry_budget must be 0 or more, not -1"),
        ({"retry_budget": "x"}, "retry_budget must be a number, not 'x'"),
        ({"requests_per_minute": "9"}, "requests_per_minute must be a number, not '9'"),
        ({"model": None}, "without a model the server embeds the documents of an index: .* is none"),
        ({"text": 5}, "text must be a field, a path, a template, or a function of the row, not 5"),
        ({"id": 5}, "id must be the name of a field, a function of the row, or None, not 5"),
        ({"requests_per_minute": 0}, "requests_per_minute must be more than 0, not 0"),
        ({"stall_timeout": 0}, "stall_timeout must be more than 0, not 0"),
        ({"skip_unchanged": True}, "skip_unchanged needs cache"),
        ({"skip_unchanged": True, "cache": "vectors.sqlite"}, r"needs a sink that keeps its documents.*out\.jsonl"),
        (
            {"skip_unchanged": True, "cache": "vectors.sqlite", "sink": lambda _: None},
            "all lambdas share one: name the function",
        ),
        ({"checkpoint": "job", "sink": "-"}, "standard output cannot be resumed: drop the checkpoint, or name a file"),
        ({"text": "{title"}, "the template"),
        ({"text": str, "text_default": ""}, "text_default is for a field or a template"),
        ({"source": "no/such.jsonl"}, "No such file or directory: 'no/such.jsonl'"),
        ({"sink": "no/such/out.jsonl"}, r"cannot write no/such/out\.jsonl: there is no folder no/such"),
    ],
)
async def test_what_cannot_be_is_refused_before_the_first_request(
    world: JobsOnAnEmulator, wrong: Any, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(world.folder)  # where a file with a relative name would be seen
    seen: list[Any] = []

    async def listen(request: Any, go: Any) -> Any:
        seen.append(request)
        return await go()

    world.emulator.faults.add(listen, on=lambda _: True, times=None)
    given = {"source": documents(3), "model": world.model_id, "sink": world.folder / "out.jsonl", **wrong}
    with pytest.raises((InvalidRequest, FileNotFoundError, SinkError), match=words):
        async with world.ml.ingest(**given):
            pass
    assert not seen
    assert not await asyncio.to_thread(lambda: list(world.folder.iterdir()))


@pytest.mark.parametrize("missing", [None, float("nan"), np.float32("nan"), Decimal("nan")])
async def test_a_missing_value_is_no_text_of_a_template(world: JobsOnAnEmulator, missing: Any) -> None:
    rows = [{"id": "a", "title": "Chair", "size": missing}, {"id": "b", "title": "Table", "size": 3.0}]
    texts: list[str] = []
    how: dict[str, Any] = {
        "model": world.model_id,
        "text": "{title}, size {size}",
        "sink": lambda b: texts.extend(b.texts),
    }
    dead = world.folder / "dead"
    async with world.ml.ingest(rows, dead_letters=dead, **how) as job:
        report = await job
    assert (report.written, report.failed, texts) == (1, 1, ["Table, size 3"])
    assert "its field 'size' is" in (await written(dead))[0]["why"]
    async with world.ml.ingest(rows, dead_letters=dead, text_default="unknown", **how) as job:
        report = await job
    assert (report.written, texts[1:]) == (2, ["Chair, size unknown", "Table, size 3"])


async def test_numbers_of_numpy_are_numbers(world: JobsOnAnEmulator) -> None:
    how: Any = {
        "batch": np.int64(7),
        "concurrency": (np.int64(1), np.int64(3)),
        "stall_timeout": np.float32(5),
        "retry_budget": 0,
    }
    for more in ({}, {"concurrency": np.int64(2)}):
        out = world.folder / f"{len(more)}.jsonl"
        async with world.ml.ingest(documents(20), model=world.model_id, sink=out, **{**how, **more}) as job:
            assert (await job).written == 20


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ({"sink": "in.jsonl"}, "sink and source would both use .*in.jsonl"),
        ({"dead_letters": "in.jsonl"}, "dead_letters and source would both use .*in.jsonl"),
        ({"dead_letters": "link.jsonl"}, "dead_letters and source would both use .*in.jsonl"),
        ({"dead_letters": "out.jsonl.part"}, "dead_letters and sink would both use .*out.jsonl.part"),
        ({"checkpoint": "out.jsonl"}, "checkpoint and sink would both use .*out.jsonl"),
        ({"checkpoint": "job", "dead_letters": "job.seen"}, "dead_letters and checkpoint would both use .*job.seen"),
        ({"checkpoint": "job", "cache": "job"}, "cache and checkpoint would both use .*job"),
    ],
)
async def test_one_file_is_not_used_for_two_things(world: JobsOnAnEmulator, names: dict[str, str], words: str) -> None:
    source = world.folder / "in.jsonl"
    source.write_bytes(b'{"id": "a", "text": "b"}\n')
    (world.folder / "link.jsonl").symlink_to(source)
    files: Any = {name: world.folder / file for name, file in {"sink": "out.jsonl", **names}.items()}
    with pytest.raises(InvalidRequest, match=f"{words}: name another file"):
        async with world.ml.ingest(source, model=world.model_id, **files):
            pass
    assert await written(source) == [{"id": "a", "text": "b"}]


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"sink": "elsewhere"}, "sink was 'verses' and is 'elsewhere'"),
        ({"field": "vector"}, "field was 'embedding' and is 'vector'"),
        ({"source": "more"}, "source was 'rows' and is 'more'"),
        ({"text": "{text}"}, "text was 'text' and is '{text}'"),
        ({"text_default": ""}, "text was 'text' and is \"TextFrom('text', default='')\""),
        ({"id": None}, "id was 'id' and is None"),
        ({"chunk": str.split}, f"chunk was None and is {str(Chunks(split=str.split))!r}"),
        ({"content_type": "query"}, "content_type was None and is 'query'"),
    ],
)
async def test_a_checkpoint_knows_its_job(world: JobsOnAnEmulator, other: dict[str, Any], words: str) -> None:
    def half() -> Iterator[Row]:
        yield from documents(2)
        raise OSError("row 2 cannot be read")

    async def attempt(
        sink: str = "verses", field: str = "embedding", source: str = "rows", text: str = "text", **how: Any
    ) -> None:
        rows, out = IterableSource(half, name=source), IndexSink(elsewhere, sink, field=field, overwrite=True)
        checkpoint = world.folder / "job"
        async with world.ml.ingest(
            rows, model=world.model_id, sink=out, text=text, checkpoint=checkpoint, **how
        ) as job:
            await job

    async with bulk_server(knn(384)) as server, Session(server.url) as elsewhere:
        with pytest.raises(OSError, match="cannot be read"):
            await attempt()
        with pytest.raises(WrongJob, match=f"is the checkpoint of another job: {re.escape(words)}; name another file"):
            await attempt(**other)


async def test_a_checkpoint_knows_how_its_file_was_read(world: JobsOnAnEmulator) -> None:
    path = world.folder / "in.csv"
    path.write_text("id,text\n1,a\n2,\n")
    files: Any = {"sink": world.folder / "out.jsonl", "checkpoint": world.folder / "job"}
    with pytest.raises(TooManyFailures):
        async with world.ml.ingest(path, model=world.model_id, max_failures=0, **files) as job:
            await job
    again = MappedSource(CsvSource(path, encoding="cp1252"), FieldMap({"id": "id", "text": "text"}))
    with pytest.raises(WrongJob, match=r"another job: options was None and is \{'encoding': 'cp1252'\}; name another"):
        async with world.ml.ingest(again, model=world.model_id, **files):
            pass


async def test_a_checkpoint_counts_nothing_that_went_into_an_index_made_anew(world: JobsOnAnEmulator) -> None:
    async def rows() -> AsyncGenerator[Row]:
        for number, row in enumerate(documents(200)):
            if number == 150:
                server.delete()
            yield row

    checkpoint = world.folder / "job"
    async with bulk_server(knn(384)) as server, Session(server.url) as elsewhere:
        how: dict[str, Any] = {"model": world.model_id, "checkpoint": checkpoint, "batch": 1, "concurrency": 1}
        for _ in range(2):
            # A job that resumes finds out too.
            with pytest.raises(
                SinkError, match=r"index docs was deleted and created again, .*remove the checkpoint to begin anew"
            ):
                async with world.ml.ingest(rows, sink=IndexSink(elsewhere, "docs"), checkpoint_every=10, **how) as job:
                    await job
            found = await asyncio.to_thread(CheckpointFile.peek, checkpoint)
            assert found is not None
            assert found[1].sink is not None
            assert found[1].sink["state"]["uuid"] == "docs-1"
            assert found[1].done == found[1].sink["state"]["documents"] < 150


@pytest.mark.parametrize(("how", "stall_timeout"), [({}, 600.0), ({"stall_timeout": 7.0}, 7.0)])
async def test_an_index_has_the_stall_timeout_of_the_job(
    world: JobsOnAnEmulator, how: dict[str, Any], stall_timeout: float
) -> None:
    sink = IndexSink(world.ml, "docs", stall_timeout=1.0)
    with pytest.raises(SinkError, match="there is no index docs"):
        async with world.ml.ingest(documents(3), model=world.model_id, sink=sink, **how):
            pass
    assert sink.stall_timeout == stall_timeout
