"""``progress=`` of every call that takes long, against an emulator: what it is told, and how it ends the call."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import orjson
import pytest
import pytest_asyncio

from aiomlcommons import InvalidRequest, NoSuchModel, Phase, Progress, Session
from aiomlcommons.api.models import DeployModel
from aiomlcommons.ingest import IndexSink, JobStopped
from aiomlcommons.progress import telling
from tests.support.jobs import JobsOnAnEmulator, documents, jobs_on_an_emulator
from tests.support.screen import Terminal

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncGenerator[JobsOnAnEmulator]:
    async with jobs_on_an_emulator(tmp_path) as world:
        yield world


@pytest.fixture
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at counts whenever the event loop has nothing else to do."""
    monkeypatch.setattr(telling, "EVERY", 0)


def on_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Return a terminal that is standard error, so wide that no line is wrapped."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "400")
    terminal = Terminal(400)
    monkeypatch.setattr(sys, "stderr", terminal)
    return terminal


def phases(told: list[Progress]) -> list[Phase]:
    return list(dict.fromkeys(progress.phase for progress in told))


# ---- ensure, remove -------------------------------------------------------------------------------------------------


async def test_ensure_and_remove_tell_their_steps(world: JobsOnAnEmulator) -> None:
    told: list[Progress] = []
    made = await world.ml.models.ensure("msmarco-distilbert-base-tas-b", progress=told.append)
    assert phases(told) == [Phase.REGISTERING, Phase.REGISTERED, Phase.DEPLOYING, Phase.DEPLOYED]
    assert (told[-1].model_id, told[-1].done, told[-1].unit) == (made.model_id, 1, "nodes")
    told.clear()
    assert await world.ml.models.remove(made.model_id, progress=told.append)
    assert phases(told) == [Phase.UNDEPLOYED, Phase.DELETED]


async def test_a_model_is_deployed_for_a_while_with_its_steps_told(world: JobsOnAnEmulator) -> None:
    told: list[Progress] = []
    async with world.ml.models.deployed("msmarco-distilbert-base-tas-b", progress=told.append):
        assert phases(told)[-1] is Phase.DEPLOYED


async def test_ensure_shows_a_terminal_its_steps(world: JobsOnAnEmulator, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_terminal(monkeypatch)
    await world.ml.models.ensure(world.model_id, progress=True)
    (line,) = terminal.screen.lines
    assert line.startswith("deployed: ")


async def test_what_fails_is_said_and_the_terminal_is_left_in_order(
    world: JobsOnAnEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = on_terminal(monkeypatch)
    with pytest.raises(NoSuchModel):
        await world.ml.models.ensure("no such model", progress=True)
    assert terminal.screen.cursor
    asked = anyio.Event()

    async def hang(_: Any, __: Any) -> Any:
        asked.set()
        await anyio.sleep_forever()

    world.emulator.faults.add(hang, on=DeployModel)
    async with anyio.create_task_group() as group:
        group.start_soon(partial(world.ml.models.ensure, "msmarco-distilbert-base-tas-b", progress=True))
        await asked.wait()
        group.cancel_scope.cancel()
    assert terminal.screen.lines[-1].startswith("stopped after ")
    assert terminal.screen.cursor


async def test_an_error_of_the_callback_ends_ensure(world: JobsOnAnEmulator) -> None:
    def refuse(progress: Progress) -> None:
        raise ZeroDivisionError(progress.phase)

    world.emulator.faults.slow(60, on=DeployModel)
    with pytest.raises(ZeroDivisionError, match="registering"):
        await world.ml.models.ensure("msmarco-distilbert-base-tas-b", progress=refuse)


@pytest.mark.parametrize("wrong", ["yes", None, 3])
async def test_every_call_refuses_what_is_no_progress(world: JobsOnAnEmulator, wrong: Any) -> None:
    ml, model_id, words = world.ml, world.model_id, "progress must be True, False or a function"
    with pytest.raises(InvalidRequest, match=words):
        await ml.models.ensure(model_id, progress=wrong)
    with pytest.raises(InvalidRequest, match=words):
        await ml.models.remove(model_id, progress=wrong)
    with pytest.raises(InvalidRequest, match=words):
        async with ml.ingest(documents(1), model=model_id, sink=[].append, progress=wrong):
            pass
    with pytest.raises(InvalidRequest, match=words):
        async with ml.embed(model_id, ["a"], progress=wrong):
            pass
    with pytest.raises(InvalidRequest, match=words):
        await ml.task("x", progress=wrong)


# ---- task -----------------------------------------------------------------------------------------------------------


async def test_a_task_tells_its_states(world: JobsOnAnEmulator, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_terminal(monkeypatch)
    await world.ml.models.undeploy(world.model_id)
    told: list[Progress] = []
    started = await world.ml.models.deploy(world.model_id)
    info = await world.ml.task(started, progress=told.append)
    assert told[-1].name == f"DEPLOY_MODEL {started.task_id}"
    assert (phases(told), told[-1].words, told[-1].model_id) == ([Phase.TASK], "COMPLETED", info.model_id)
    await world.ml.task(started.task_id, progress=True)
    assert terminal.screen.lines[0].startswith(f"task: DEPLOY_MODEL {started.task_id}")


async def test_who_iterates_over_a_task_is_told_that_it_needs_no_progress(world: JobsOnAnEmulator) -> None:
    with pytest.raises(InvalidRequest, match=r"progress= is for `await ml\.task\(\.\.\.\)`"):
        async for _ in world.ml.task("x", progress=True):
            pass


# ---- embed ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rows", "total"), [(list(map(str, range(50))), 50), (map(str, range(50)), None)])
@pytest.mark.usefixtures("often")
async def test_embed_counts_rows_and_knows_their_number_if_they_have_one(
    world: JobsOnAnEmulator, rows: Any, total: int | None
) -> None:
    told: list[Progress] = []
    async with world.ml.embed(world.model_id, rows, batch=10, concurrency=1, progress=told.append) as embedded:
        assert len([row async for row, _ in embedded]) == 50
    assert phases(told) == [Phase.EMBEDDING, Phase.FINISHED]
    assert {one.done for one in told} >= {0, 10, 50}
    assert (told[-1].done, told[-1].total, told[-1].unit) == (50, total, "rows")
    assert told[-1].rate


async def test_an_error_of_the_callback_ends_embed(world: JobsOnAnEmulator) -> None:
    async def refuse(_: Progress) -> None:
        raise ZeroDivisionError

    world.emulator.faults.slow(60)
    with pytest.raises(ZeroDivisionError):
        async with world.ml.embed(world.model_id, ["a", "b"], progress=refuse) as embedded:
            async for _ in embedded:
                pass


# ---- ingest ---------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("often")
async def test_a_job_tells_everything_from_the_check_to_the_report(world: JobsOnAnEmulator) -> None:
    told: list[Progress] = []
    sink = world.folder / "out.npy"
    async with world.ml.ingest(
        [*documents(100), {"id": "x", "text": ""}], model=world.model_id, sink=sink, batch=10, progress=told.append
    ) as job:
        report = await job
    quiet = {Phase.CHECKING, Phase.READING, Phase.FINISHING}  # told only where a look falls into them
    steps = [Phase.DEPLOYED, Phase.EMBEDDING, Phase.FINISHED]
    assert [phase for phase in phases(told) if phase not in quiet] == steps
    embedding = [one for one in told if one.phase is Phase.EMBEDDING]
    assert (embedding[0].done, embedding[0].name) == (0, f"rows -> {sink}")
    last = told[-1]
    counts, seconds, _ = str(report).split("; ", 2)
    assert seconds.endswith(" s")
    assert (last.done, last.total, last.words.partition("; ")[0]) == (101, 101, counts)
    assert last.counts == {"written": 100, "failed": 1, "read": 101} | {
        name: last.counts[name] for name in last.counts if name not in {"written", "failed", "read"}
    }


@pytest.mark.usefixtures("often")
async def test_a_job_tells_why_it_pauses(world: JobsOnAnEmulator) -> None:
    seen = anyio.Event()

    def listen(progress: Progress) -> None:
        if "Request is throttled at model level" in progress.words:
            assert progress.words.startswith("1 request pauses: ")
            seen.set()

    world.emulator.faults.throttle(times=None, retry_after=30)
    async with world.ml.ingest(documents(5), model=world.model_id, sink=[].append, progress=listen):
        await seen.wait()


@pytest.mark.usefixtures("often")
async def test_a_job_tells_why_its_index_pauses(world: JobsOnAnEmulator) -> None:
    seen = anyio.Event()

    def listen(progress: Progress) -> None:
        if progress.words.startswith("the index pauses: "):
            seen.set()

    world.emulator.faults.throttle(times=None, retry_after=30, on=lambda http: http.path.endswith("_bulk"))
    sink = IndexSink(world.ml, "paused", create=True)
    with pytest.raises(ZeroDivisionError):
        async with world.ml.ingest(documents(5), model=world.model_id, sink=sink, progress=listen):
            await seen.wait()
            raise ZeroDivisionError


async def test_an_error_of_the_callback_ends_a_job_that_can_be_resumed(world: JobsOnAnEmulator) -> None:
    async def refuse(progress: Progress) -> None:
        if progress.done:
            raise ZeroDivisionError

    job: dict[str, Any] = {
        "model": world.model_id,
        "sink": world.folder / "out.jsonl",
        "checkpoint": world.folder / "job.checkpoint",
        "batch": 10,
        "checkpoint_every": 1,
    }
    world.emulator.faults.slow(60, every=5, times=1)
    with pytest.raises(ZeroDivisionError):
        async with world.ml.ingest(documents(200), **job, progress=refuse) as running:
            await running
    world.emulator.faults.clear()
    async with world.ml.ingest(documents(200), **job) as running:
        report = await running
    assert (report.written, report.embedded < 220) == (200, True)
    lines = job["sink"].read_bytes().splitlines()
    assert {orjson.loads(line)["id"] for line in lines} == {row["id"] for row in documents(200)}


async def test_a_job_that_is_left_early_says_so(world: JobsOnAnEmulator, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_terminal(monkeypatch)
    world.emulator.faults.slow(60)
    async with world.ml.ingest(documents(5), model=world.model_id, sink=[].append, progress=True) as job:
        assert not job.done()
    with pytest.raises(JobStopped):
        await job
    last = "".join(terminal.screen.lines[-2:])
    assert "stopped after" in last
    assert terminal.screen.cursor


async def test_two_jobs_at_once_show_both(world: JobsOnAnEmulator, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_terminal(monkeypatch)

    async def run(ml: Session, name: str) -> None:
        sink = world.folder / name
        async with ml.ingest(documents(50), model=world.model_id, sink=sink, batch=5, progress=True) as job:
            await job

    async with anyio.create_task_group() as group:
        for name in ("one.jsonl", "two.jsonl"):
            group.start_soon(run, world.ml, name)
    lines = " ".join(terminal.screen.lines)
    assert lines.count("finished: ") == 2
    assert "one.jsonl" in lines
    assert "two.jsonl" in lines
    assert terminal.screen.cursor


async def test_a_job_without_progress_logs_what_is_done_to_the_model_and_its_start_and_end(
    world: JobsOnAnEmulator, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", "aiomlcommons"):
        async with world.ml.ingest(documents(5), model=world.model_id, sink=[].append) as job:
            await job
    assert [line.partition(":")[0] for line in caplog.messages] == ["deployed", "job started", "job ended"]
