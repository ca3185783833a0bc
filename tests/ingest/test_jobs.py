"""Whole jobs on an emulator: every row is settled once, whatever happens on the way."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio
import orjson
import pytest

from aiomlcommons import NotFound
from aiomlcommons.emulator.errors import refused
from aiomlcommons.emulator.faults import PREDICTIONS
from aiomlcommons.ingest.errors import JobStopped, JobUnderWay, ModelFails, SeenError, SourceError, WrongJob
from aiomlcommons.ingest.sinks import SinkError
from aiomlcommons.ingest.state.checkpoint import CheckpointFile
from aiomlcommons.ingest.state.dead_letters import documents as dead_documents
from aiomlcommons.ingest.types import BadRow, Documents, Refused, Row
from tests.support.jobs import POISON, JobsOnAnEmulator, Memory, Shelf, documents
from tests.support.virtual_time import turns

pytestmark = pytest.mark.asyncio


def read_dead_letters(folder: Path) -> list[dict[str, Any]]:
    path = folder / "job.dead"
    return [orjson.loads(line) for line in path.read_bytes().splitlines()] if path.exists() else []


async def test_every_document_is_written_with_its_own_vector(world: JobsOnAnEmulator) -> None:
    shelf = Shelf()
    async with world.job(Memory(documents(205)), shelf) as job:
        report = await job
    assert (report.read, report.written, report.failed, report.balanced) == (205, 205, 0, True)
    assert list(shelf.durable) == [row["id"] for row in documents(205)]
    expected = await world.ml.embed_one(world.model_id, "text number 77")
    assert (shelf.durable["d77"] == expected).all()
    assert shelf.complete


async def test_a_job_without_rows_is_one_too(world: JobsOnAnEmulator) -> None:
    async with world.job(Memory([]), Shelf()) as job:
        assert (await job).read == 0


async def test_what_is_no_document_is_a_dead_letter_with_the_reason(world: JobsOnAnEmulator) -> None:
    rows: list[Any] = documents(20)
    rows[3] = {"id": "d3"}
    rows[5] = {"id": "d5", "text": "  "}
    rows[7] = {"id": "d7", "text": 7}
    rows[9] = {"text": "no id"}
    rows[11] = BadRow("is not JSON", "file.jsonl, line 12", "{")
    rows[13] = {"id": "d2", "text": "the same id again"}
    rows[15] = {"id": "d15", "text": "text number 14"}
    async with world.job(Memory(rows), Shelf()) as job:
        report = await job
    assert (report.read, report.written, report.deduplicated, report.failed) == (20, 14, 1, 5)
    assert report.reused == 1
    assert {letter["row"]: letter["why"] for letter in read_dead_letters(world.folder)} == {
        3: "it has no field 'text'",
        5: "its text is empty",
        7: "its text must be a string, not int",
        9: "it has no field 'id'",
        11: "file.jsonl, line 12: is not JSON",
    }
    assert [document.get("id") for document in dead_documents(world.folder / "job.dead")] == ["d3", "d5", "d7", None]


async def test_poisoned_documents_stand_alone_and_the_rest_goes_on(world: JobsOnAnEmulator) -> None:
    rows: list[Any] = documents(100)
    for number in (13, 14, 55):
        rows[number] = {"id": f"d{number}", "text": f"{POISON} {number}"}
    world.poison()
    async with world.job(Memory(rows), Shelf()) as job:
        report = await job
    assert (report.written, report.failed, report.balanced) == (97, 3, True)
    assert [letter["id"] for letter in read_dead_letters(world.folder)] == ["d13", "d14", "d55"]
    assert "the text cannot be translated" in read_dead_letters(world.folder)[0]["why"]


async def test_a_model_that_fails_on_everything_loses_no_document(world: JobsOnAnEmulator) -> None:
    world.emulator.faults.fail(500, times=None)
    shelf = Shelf()
    with pytest.raises(ModelFails, match="fails on a harmless text too, after failing with: ServerError: boom"):
        async with world.job(Memory(documents(30)), shelf, stall_timeout=0.5) as job:
            await job
    world.emulator.faults.clear()
    assert not read_dead_letters(world.folder)
    async with world.job(Memory(documents(30)), shelf) as job:
        assert (await job).written == 30


async def test_what_a_sink_refuses_is_a_dead_letter(world: JobsOnAnEmulator) -> None:
    shelf = Shelf(refuses=lambda key: "mapper_parsing_exception" if key == "d8" else "")
    async with world.job(Memory(documents(30)), shelf) as job:
        report = await job
    assert (report.written, report.failed) == (29, 1)
    assert read_dead_letters(world.folder)[0]["why"] == "mapper_parsing_exception"


async def test_trouble_that_passes_costs_retries_and_no_document(world: JobsOnAnEmulator) -> None:
    faults = world.emulator.faults
    faults.throttle(times=None, every=7)
    faults.drop(times=None, every=11)
    faults.fail(503, times=None, every=5)
    shelf = Shelf()
    async with world.job(Memory(documents(300)), shelf) as job:
        report = await job
    assert (report.written, report.failed, report.balanced) == (300, 0, True)
    assert report.retried > 5
    assert len(shelf.durable) == 300


async def test_a_model_that_is_gone_ends_the_job_and_the_job_can_go_on(world: JobsOnAnEmulator) -> None:
    world.emulator.faults.fail(404, times=1, every=6, reason="Failed to find model")
    shelf = Shelf()
    with pytest.raises(NotFound):
        async with world.job(Memory(documents(100)), shelf, concurrency=1) as job:
            await job
    assert 0 < len(shelf.durable) < 100
    assert shelf.complete is False
    async with world.job(Memory(documents(100)), shelf) as job:
        report = await job
    assert (report.read, report.written, len(shelf.durable), shelf.complete) == (100, 100, 100, True)
    assert len(shelf.writes) == 100


@pytest.mark.parametrize("ordered", [True, False])
async def test_a_source_that_fails_halfway_keeps_what_was_read_before(world: JobsOnAnEmulator, ordered: bool) -> None:
    shelf = Shelf()
    with pytest.raises(OSError, match="row 50 cannot be read"):
        async with world.job(Memory(documents(100), fails_at=50), shelf, ordered=ordered) as job:
            await job
    assert len(shelf.durable) == 50
    async with world.job(Memory(documents(100)), shelf) as job:
        assert (await job).written == 100


@pytest.mark.parametrize("ordered", [True, False])
async def test_leaving_early_leaves_a_job_that_goes_on(world: JobsOnAnEmulator, ordered: bool) -> None:
    shelf = Shelf()
    held = anyio.Event()

    async def hold(_: Any, go: Any) -> Any:
        if len(shelf.writes) >= 40:
            held.set()
            await anyio.sleep_forever()
        return await go()

    world.emulator.faults.add(hold, on=PREDICTIONS, times=None)
    async with world.job(Memory(documents(2000)), shelf, ordered=ordered):
        await held.wait()
    world.emulator.faults.clear()
    kept = len(shelf.durable)
    assert 40 <= kept < 2000
    async with world.job(Memory(documents(2000)), shelf, ordered=ordered) as job:
        report = await job
    assert (report.read, report.written, len(shelf.durable)) == (2000, 2000, 2000)
    assert len(shelf.writes) == 2000


async def test_whoever_awaits_a_job_that_is_left_is_told(world: JobsOnAnEmulator) -> None:
    async with world.job(Memory(documents(2000)), Shelf()) as job:
        waiting = asyncio.ensure_future(job)
        await turns(1)
        assert not job.done()
    for waiter in (waiting, job):
        with pytest.raises(JobStopped, match="left before its end"):
            await waiter
    assert (job.done(), job.succeeded) == (True, False)


async def test_an_error_that_nobody_awaited_comes_when_the_context_is_left(world: JobsOnAnEmulator) -> None:
    with pytest.raises(OSError, match="row 50 cannot be read"):
        async with world.job(Memory(documents(100), fails_at=50), Shelf()) as job:
            await job._ended.wait()


async def test_an_error_that_was_awaited_comes_once(world: JobsOnAnEmulator) -> None:
    async with world.job(Memory(documents(100), fails_at=50), Shelf()) as job:
        with pytest.raises(OSError, match="row 50 cannot be read"):
            await job


async def test_a_job_whose_output_does_not_become_whole_is_not_finished(world: JobsOnAnEmulator) -> None:
    class Full(Shelf):
        async def close(self, *, complete: bool) -> None:
            if complete:
                raise OSError("no space left")

    with pytest.raises(OSError, match="no space left"):
        async with world.job(Memory(documents(100)), shelf := Full()) as job:
            await job
    found = await asyncio.to_thread(CheckpointFile.peek, world.folder / "job.checkpoint")
    assert found is not None
    assert (found[1].finished, found[1].done) == (False, 100)
    again = Shelf(durable=shelf.durable)
    async with world.job(Memory(documents(100)), again) as job:
        assert (await job).written == 100
    assert (again.complete, again.writes) == (True, [])


async def test_a_crash_at_any_moment_repeats_no_more_than_the_checkpoint_lacks(world: JobsOnAnEmulator) -> None:
    """The sink loses what was not flushed, and the job resumes, many times."""
    chance = random.Random(7)  # noqa: S311
    shelf = Shelf()
    rows = documents(400)
    for _ in range(12):
        stop_after = len(shelf.writes) + chance.randrange(20, 60)

        class Crash(Exception):
            pass

        def crash(_: str, stop_after: int = stop_after) -> str:
            if len(shelf.writes) >= stop_after:
                raise Crash
            return ""

        shelf.refuses = crash
        before = dict(shelf.durable)
        try:
            async with world.job(Memory(rows), shelf, ordered=chance.random() < 0.5) as job:
                await job
                break
        except Crash:
            pass
        assert before.items() <= shelf.durable.items() or len(shelf.durable) >= len(before)
    shelf.refuses = lambda _: ""
    async with world.job(Memory(rows), shelf) as job:
        report = await job
    assert (report.read, report.written, report.balanced) == (400, 400, True)
    assert set(shelf.durable) == {row["id"] for row in rows}


async def begin(world: JobsOnAnEmulator, rows: Sequence[Row | BadRow]) -> None:
    """Leave a job that is interrupted after half of its rows."""
    with pytest.raises(OSError, match="cannot be read"):
        async with world.job(Memory(rows, at_once=len(rows) // 2, fails_at=len(rows) // 2), Shelf()) as job:
            await job


async def test_a_source_that_has_fewer_rows_than_were_settled_is_not_finished(world: JobsOnAnEmulator) -> None:
    await begin(world, documents(20))
    for left in (0, 3, 9):
        with pytest.raises(SourceError, match=rf"memory ends after {left} rows, and had at least 10 before: it was ch"):
            async with world.job(Memory(documents(left)), Shelf(durable={f"d{n}": None for n in range(10)})) as job:
                await job
    async with world.job(Memory(documents(12)), Shelf(durable={f"d{n}": None for n in range(10)})) as job:
        assert (await job).read == 12


async def test_a_checkpoint_of_another_job_is_refused(world: JobsOnAnEmulator) -> None:
    await begin(world, documents(20))
    other = (await world.ml.models.ensure("all-mpnet-base-v2")).model_id
    with pytest.raises(WrongJob, match=r"model was .*all-MiniLM-L6-v2' and is .*all-mpnet-base-v2'"):
        async with JobsOnAnEmulator(world.emulator, world.ml, other, world.folder).job(Memory(documents(10)), Shelf()):
            pass


async def test_a_job_that_is_under_way_is_not_begun_twice(
    world: JobsOnAnEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aiomlcommons.ingest.state.seen_ids.BUSY", 0.0)
    rows, shelf = documents(100), Shelf()
    async with world.job(Memory(rows), shelf) as job:
        with pytest.raises(JobUnderWay, match=r"job.checkpoint.seen is locked: the job is running already"):
            async with world.job(Memory(rows), Shelf()):
                pass
        report = await job
    assert (report.written, len(shelf.durable)) == (100, 100)


async def test_a_job_that_is_refused_leaves_the_dead_letters_of_another_alone(world: JobsOnAnEmulator) -> None:
    class Taken(Shelf):
        async def open(self, state: Any) -> None:
            raise SinkError("is being written by another job")

    (world.folder / "job.dead").write_bytes(b"letters of another\n")
    with pytest.raises(SinkError, match="another job"):
        async with world.job(Memory(documents(10)), Taken()):
            pass
    assert (world.folder / "job.dead").read_bytes() == b"letters of another\n"


async def test_a_job_whose_ids_are_gone_is_not_gone_on_with(world: JobsOnAnEmulator) -> None:
    await begin(world, documents(20))
    (world.folder / "job.checkpoint.seen").unlink()
    with pytest.raises(SeenError, match=r"job.checkpoint.seen is gone, .* remove .*job.checkpoint to begin anew"):
        async with world.job(Memory(documents(10)), Shelf()):
            pass


async def test_ids_that_another_job_left_behind_are_not_taken_for_its_own(world: JobsOnAnEmulator) -> None:
    await begin(world, documents(20))
    (world.folder / "job.checkpoint").unlink()
    shelf = Shelf()
    async with world.job(Memory(documents(20)[::-1]), shelf) as job:
        report = await job
    assert (report.written, report.deduplicated, len(shelf.durable)) == (20, 0, 20)


# ---- cached vectors and unchanged documents --------------------------------------------------------------------------


async def embedded_by(world: JobsOnAnEmulator, rows: list[Any], shelf: Shelf, **settings: Any) -> Any:
    """Run a new job; return its report."""
    (world.folder / "job.checkpoint").unlink(missing_ok=True)
    async with world.job(Memory(rows), shelf, **settings) as job:
        return await job


async def test_identical_texts_of_a_job_are_embedded_once(world: JobsOnAnEmulator) -> None:
    rows: list[Any] = [{"id": f"d{number}", "text": f"text {number % 7}"} for number in range(200)]
    shelf = Shelf()
    report = await embedded_by(world, rows, shelf)
    assert (report.written, report.embedded, report.reused) == (200, 7, 193)
    assert (shelf.durable["d193"] == await world.ml.embed_one(world.model_id, "text 4")).all()


async def test_a_cache_knows_the_vectors_of_earlier_jobs(world: JobsOnAnEmulator) -> None:
    cache = world.folder / "vectors.sqlite"
    one, two = Shelf(), Shelf()
    await embedded_by(world, documents(50), one, cache=cache)
    report = await embedded_by(world, documents(60), two, cache=cache)
    assert (report.written, report.embedded, report.reused) == (60, 10, 50)
    assert all((two.durable[key] == vector).all() for key, vector in one.durable.items())


async def test_documents_whose_text_has_not_changed_are_skipped(world: JobsOnAnEmulator) -> None:
    cache, shelf = world.folder / "vectors.sqlite", Shelf()
    await embedded_by(world, documents(50), shelf, cache=cache, skip_unchanged=True)
    changed: list[Any] = [*documents(50), {"id": "d50", "text": "a new one"}]
    changed[7] = {"id": "d7", "text": "another text"}
    report = await embedded_by(world, changed, shelf, cache=cache, skip_unchanged=True)
    assert (report.read, report.written, report.skipped, report.balanced) == (51, 2, 49, True)
    assert len(shelf.writes) == 52
    assert (shelf.durable["d7"] == await world.ml.embed_one(world.model_id, "another text")).all()


async def test_what_was_not_written_is_not_skipped_the_next_time(world: JobsOnAnEmulator) -> None:
    cache, shelf = world.folder / "vectors.sqlite", Shelf(refuses=lambda key: "no" if key == "d3" else "")
    await embedded_by(world, documents(10), shelf, cache=cache, skip_unchanged=True)
    shelf.refuses = lambda _: ""
    report = await embedded_by(world, documents(10), shelf, cache=cache, skip_unchanged=True)
    assert (report.written, report.skipped) == (1, 9)


# ---- batches that are too large --------------------------------------------------------------------------------------


# A 400 may be about one text alone: it takes more of them until it is known what the server takes.
@pytest.mark.parametrize(("status", "too_much", "count"), [(413, 5, 1500), (400, 4, 3000)])
async def test_batches_shrink_when_the_server_takes_no_more(
    world: JobsOnAnEmulator, status: int, too_much: int, count: int
) -> None:
    sizes: list[int] = []

    async def limited(request: Any, go: Any) -> Any:
        sizes.append(len(orjson.loads(await request.read())["text_docs"]))
        if sizes[-1] >= too_much:
            raise refused(status, "x", "too much")
        return await go()

    world.emulator.faults.add(limited, on=PREDICTIONS, times=None)
    async with world.job(Memory(documents(count)), Shelf(), batch=16) as job:
        report = await job
    assert (report.written, report.failed) == (count, 0)
    assert max(sizes) == 16
    # Only the batches that were in flight by then are halved, one by one.
    assert max(sizes[-100:]) < too_much


class Opening(Memory):
    async def count(self) -> int | None:
        raise OSError("it cannot be counted")


class Closing(Shelf):
    async def close(self, *, complete: bool) -> None:
        raise OSError("it cannot be closed")


@pytest.mark.parametrize(
    ("source", "sink"), [(Opening([]), Shelf()), (Memory([{}]), Closing())], ids=["opening", "closing"]
)
async def test_a_job_that_cannot_be_opened_or_closed_leaves_no_file_open(
    world: JobsOnAnEmulator, source: Memory, sink: Shelf
) -> None:
    with pytest.raises(OSError, match=r"it cannot be (counted|closed)"):
        async with world.job(source, sink) as job:
            await job


async def test_a_job_that_is_left_while_it_is_opened_leaves_no_file_open(world: JobsOnAnEmulator) -> None:
    class Waiting(Memory):
        async def count(self) -> int | None:
            scope.cancel()
            await anyio.sleep_forever()
            return None

    with anyio.CancelScope() as scope:
        async with world.job(Waiting([]), Shelf()):
            pass
    assert scope.cancelled_caught


async def test_no_batch_is_written_while_a_checkpoint_is_saved(world: JobsOnAnEmulator) -> None:
    """A batch that is written after the flush of the sink, but counted in the checkpoint, would be lost in a crash."""

    class Busy(Shelf):
        writing = 0

        async def write(self, batch: Documents, /) -> Sequence[Refused]:
            self.writing += 1
            await turns()
            self.writing -= 1
            return await super().write(batch)

        async def flush(self) -> Any:
            await turns()
            assert not self.writing
            return await super().flush()

    async with world.job(Memory(documents(200)), Busy(concurrent=True), checkpoint_every=2) as job:
        assert (await job).written == 200
