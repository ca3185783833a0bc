"""Nodes as processes, which die, hang and refuse: no repeatable call is lost, no document of a job lost or doubled."""

from __future__ import annotations

import pytest

from tests.net.node_deaths import FAULTS, job, outage, world
from tests.support.front_node import nodes

pytestmark = pytest.mark.asyncio

CALLS = 60


@pytest.mark.parametrize("fault", FAULTS)
async def test_an_outage_of_one_of_two_nodes_loses_no_call(fault: str) -> None:
    async with world() as served:
        with nodes(served.port, 2) as some:
            before, during, back, after = await outage(some, served.model_id, fault, CALLS, read=0.3)
    assert [phase.lost for phase in (before, during, back, after)] == [[], [], [], []]
    for phase in (before, after):
        assert abs(phase.at[0] - phase.at[1]) <= CALLS / 4, "the load is shared"
    assert during.at[0] <= CALLS / 4, "the other one does the work"
    assert sum(during.at) >= CALLS


async def test_a_job_goes_through_the_deaths_of_three_nodes() -> None:
    async with world() as served:
        with nodes(served.port, 3) as some:
            ran = await job(served, some, documents=2_000, deaths=3, batch=8)
    assert ran.deaths == 3
    assert ran.report.balanced
    assert ran.report.written == 2_000
    assert ran.once
