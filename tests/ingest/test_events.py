"""What is logged of a bulk job."""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from aiomlcommons import ApiError, Backoff, HttpRequest, HttpResponse, Session
from aiomlcommons.emulator import Emulator
from aiomlcommons.emulator.faults import PREDICTIONS
from aiomlcommons.ingest import JobStopped
from aiomlcommons.ingest.events import PROGRESS, IndexEvents, JobEvents
from aiomlcommons.net.sparing import Sparing
from aiomlcommons.statuses import error_for
from tests.support.logged_scenes import MODEL

PACE = Backoff(first=0.001, cap=0.002)


@pytest.fixture(autouse=True)
def _at_info(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "aiomlcommons")


@pytest_asyncio.fixture
async def emulated() -> AsyncIterator[tuple[Emulator, Session, str]]:
    emulator = Emulator()
    async with emulator.serve() as url, Session(url, backoff=PACE) as ml:
        yield emulator, ml, (await ml.models.ensure(MODEL, change_settings=True)).model_id


def rows(count: int) -> list[dict[str, str]]:
    return [{"id": f"doc-{n}", "text": "" if n % 100 == 7 else f"text {n}"} for n in range(count)]


def about(caplog: pytest.LogCaptureFixture, *words: str) -> list[str]:
    return [f"{one.levelname} {one.message}" for one in caplog.records if any(word in one.message for word in words)]


@pytest.mark.asyncio
async def test_a_job_says_how_it_starts_what_fails_and_how_it_ends(
    emulated: tuple[Emulator, Session, str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _, ml, model_id = emulated
    out, state = tmp_path / "out.jsonl", tmp_path / "state"
    caplog.clear()
    async with ml.ingest(rows(300), model=model_id, sink=out, batch=50, concurrency=3, checkpoint=state) as job:
        report = await job
    start, first, rest, end = about(caplog, "job", "failed")
    assert start == (
        f"INFO job started: from rows into {out}, model {model_id}, batches of 50, concurrency 3, checkpoint {state}"
    )
    assert first == f"WARNING row 7 (doc-7) failed, it is in {state}.dead.jsonl: its text is empty"
    assert re.fullmatch(r"WARNING documents failed: its text is empty: 2 more in \d+ s", rest)
    assert re.sub(r"\d+\.\d s", "T", end) == re.sub(r"\d+\.\d s", "T", f"INFO job ended: {report}")


@pytest.mark.asyncio
async def test_a_job_that_is_left_says_so_and_the_next_one_that_it_resumes(
    emulated: tuple[Emulator, Session, str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    _, ml, model_id = emulated
    source = rows(600)
    how: Any = {"sink": tmp_path / "out.jsonl", "checkpoint": tmp_path / "state"}
    with pytest.raises(JobStopped):
        async with ml.ingest(source, model=model_id, batch=10, checkpoint_every=1, **how) as job:
            while job.stats.settled < 100:
                await ml.info()
            raise JobStopped("enough")
    async with ml.ingest(source, model=model_id, **how) as job:
        await job
    left, resumed = about(caplog, "job broke off", "job resumed")
    assert re.match(r"WARNING job broke off: [\d,]+ of 600 documents, .*JobStopped: the job was left", left)
    assert re.match(r"INFO job resumed after [\d,]+ rows: from rows into ", resumed)


@pytest.mark.asyncio
async def test_throttling_is_a_line_of_each_kind_however_long_it_lasts(
    emulated: tuple[Emulator, Session, str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    emulator, ml, model_id = emulated
    emulator.faults.throttle(times=400, on=PREDICTIONS)
    how: Any = {"batch": 5, "backoff": PACE, "retry_budget": 20}
    async with ml.ingest(rows(300), model=model_id, sink=tmp_path / "out.jsonl", **how) as job:
        await job
    lines = about(caplog, "429", "TooManyRequests", "one request at a time", "answers again")
    assert any(re.search(r"INFO concurrency lowered from \d+ to \d+ requests at once: 429 ", line) for line in lines)
    retry = r"INFO a request of \d+ texts to http\S+: 429 .*; sent again in 0\.00 s, retry 1 of the job \[x-opaque-id "
    assert len([line for line in lines if re.match(retry, line)]) == 1
    assert any(line.startswith("WARNING the retry budget is spent (429 ") for line in lines)
    assert any(line.startswith("INFO the server answers again, after ") for line in lines)
    assert len(lines) < 20


def test_progress_is_told_once_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    events = JobEvents(Sparing(lambda: now))
    for _ in range(300):
        now += 1.0
        events.saved("1 of 2 documents", "1 of 2 documents, 3/s")
    assert caplog.messages == ["job under way: 1 of 2 documents, 3/s"] * int(300 / PROGRESS)


def test_what_an_index_refuses_is_told_once_and_then_counted(caplog: pytest.LogCaptureFixture) -> None:
    events = IndexEvents("docs")
    for _ in range(9):
        events.retrying(50, "503 Service\nUnavailable", pause=0.5)
    events.lines.close()
    assert caplog.messages == [
        "index docs did not accept 50 documents: 503 Service Unavailable; sent again in 0.50 s",
        "requests that index docs did not accept: 8 more in 1 s",
    ]


def test_the_sum_of_lowered_concurrency_has_the_last_one(caplog: pytest.LogCaptureFixture) -> None:
    events = JobEvents()
    error = error_for(HttpResponse(429, b'{"error": "no"}', request=HttpRequest("POST", "/x", base="http://a")))
    assert isinstance(error, ApiError)
    for limit in (8, 4, 2):
        events.slowed(2 * limit, limit, error)
    events.lines.close()
    assert caplog.messages == [
        "concurrency lowered from 16 to 8 requests at once: 429 no",
        "concurrency lowered, now to 2: 2 more in 1 s",
    ]
