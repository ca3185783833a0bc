"""The accounts of a job on a real server: what is lost, odd or wrong in an index is found. Here on the emulator."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pytest_asyncio

from aiomlcommons import Session
from aiomlcommons.emulator import Cluster, Emulator
from aiomlcommons.ingest import Report
from tests.reliability.indexed_job import IndexedJob, Vectors, problems, row
from tests.reliability.server_kinds import KINDS
from tests.reliability.servers import Tried, moments, rows_of

pytestmark = pytest.mark.asyncio
ROWS = 120


@pytest_asyncio.fixture
async def done(tmp_path: Path) -> AsyncGenerator[tuple[IndexedJob, Report, Vectors]]:
    """Yield a job that is complete, and the vectors of its rows."""
    async with Emulator(Cluster(version="3.8.0")).serve() as url, Session(url) as ml:
        await ml.settings.allow_first_model()
        model = (await ml.models.ensure("all-MiniLM-L6-v2")).model_id
        job = IndexedJob(ml, tmp_path, "docs", model, ROWS, how={"concurrency": 4})
        report = await job.run(asyncio.Event())
        yield job, report, await ml.embed_many(model, [row(number)["text"] or "none" for number in range(ROWS)])


async def test_a_job_that_nothing_happened_to_has_no_problems(done: tuple[IndexedJob, Report, Vectors]) -> None:
    job, report, vectors = done
    assert await problems(job, report, vectors) == []


async def test_what_is_lost_odd_or_wrong_is_found(done: tuple[IndexedJob, Report, Vectors]) -> None:
    job, report, vectors = done
    await job.ml.request("DELETE", "/docs/_doc/d1")
    await job.ml.request("PUT", "/docs/_doc/d5", body={"text": "", "embedding": [1.0] * 384})
    wrong = vectors.copy()
    wrong[3] = np.roll(wrong[3], 1)
    await asyncio.to_thread(job.dead.write_bytes, b"")
    assert await problems(job, report, wrong) == [
        "1 lost, such as d1",
        "1 in the index that should not be, such as d5",
        "the vector of d3 is wrong",
        "0 dead letters instead of 4",
    ]


async def test_what_was_not_felt_is_no_trial() -> None:
    job: Any = None
    kind = KINDS[0]
    tried = [
        Tried(kind, 1, True, [], job, "", 1.0),
        Tried(kind, 2, True, ["1 lost"], job, "", 1.0),
        Tried(kind, 3, False, [], job, "", 1.0),
    ]
    (only,) = rows_of(tried, "OpenSearch")
    assert (only.trials, only.losses, only.promise) == (2, 1, kind.promise)
    assert len({one.name for one in KINDS}) == len(KINDS)
    assert list(moments(4, 100)) == [0, 25, 50, 75]
