"""``ml.reembed`` of the synchronous session."""

from __future__ import annotations

import asyncio

import pytest

from aiomlcommons.blocking import Session
from tests.support.aliased_index import CREATED, NEW, world


def _steps(url: str, old: str) -> None:
    with Session(url) as ml:
        with ml.reembed("docs", model=NEW, alias="live") as job:
            assert (job.plan.documents, job.plan.target) == (10, CREATED)
            assert job.prepare().phase == "checked"
            assert job.switch().phase == "switched"
            assert job.follow().phase == job.phase == "switched"
        with ml.reembed("docs", alias="live", old_model=old) as job:
            assert job.rollback().counts["without_vector"] == 0
        assert ml.reembed("docs", alias="live").result().phase == "switched"


@pytest.mark.asyncio
async def test_the_steps_in_a_program_without_an_event_loop() -> None:
    async with world() as given:
        await asyncio.to_thread(_steps, given.url, given.old)
        assert await given.leads_to() == {CREATED}
