"""Re-embedding, as type checkers see it."""

from __future__ import annotations

from typing import assert_type

import anyio

from aiomlcommons import Session
from aiomlcommons.reembedding import Plan, ReembeddingJob, Report


async def steps(ml: Session) -> None:
    assert_type(await ml.reembed("docs", model="m", alias="live"), Report)
    async with ml.reembed("docs", model="m", field="second", require=["self@1 >= 0.9"]) as job:
        assert_type(job, ReembeddingJob)
        assert_type(job.plan, Plan)
        assert_type(await job, Report)
        assert_type(await job.prepare(), Report)
        assert_type(await job.switch(), Report)
        assert_type(await job.follow(anyio.Event()), Report)
        assert_type(await job.rollback(), Report)
        assert_type(await job.finish(delete_old=True), Report)
        assert_type(job.report.markdown(), str)
