"""A job with all faults at once: no row is lost, and only poison documents become dead letters."""

from __future__ import annotations

from collections import Counter
from typing import Any

import attrs
import orjson
import pytest

from aiomlcommons.http import HttpRequest
from tests.support.jobs import POISON, JobsOnAnEmulator, Memory, Shelf, documents

pytestmark = pytest.mark.asyncio
COUNT = 400
POISONED = {"d57", "d58", "d333"}


@attrs.define
class Away:
    """Whether the server is unavailable: during the predictions of these numbers."""

    first: int
    last: int
    seen: int = 0

    def __call__(self, http: HttpRequest) -> bool:
        self.seen += "_predict/" in http.path
        return self.first <= self.seen <= self.last


def rows() -> list[Any]:
    return [{**row, "text": POISON + row["id"]} if row["id"] in POISONED else row for row in documents(COUNT)]


def trouble(world: JobsOnAnEmulator, seed: int) -> None:
    faults = world.emulator.faults
    faults.random.seed(seed)
    faults.drop(times=None, on=Away(25, 90))
    faults.drop(times=None, chance=0.05)
    faults.cut(times=None, chance=0.02)
    faults.throttle(times=None, chance=0.1)
    faults.fail(500, times=None, chance=0.04)
    faults.fail(503, times=None, chance=0.05)
    world.poison()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("ordered", [True, False])
async def test_the_accounts_balance_through_a_plan_of_faults(world: JobsOnAnEmulator, seed: int, ordered: bool) -> None:
    trouble(world, seed)
    shelf = Shelf()
    async with world.job(Memory(rows()), shelf, retry_budget=12, ordered=ordered) as job:
        report = await job
        budget = job._engine.embedder.requests.budget
    assert (report.read, report.written, report.failed, report.balanced) == (COUNT, COUNT - 3, 3, True)
    assert Counter(shelf.writes) == Counter({row["id"] for row in documents(COUNT)} - POISONED)
    dead = [orjson.loads(line) for line in (world.folder / "job.dead").read_bytes().splitlines()]
    assert {letter["id"] for letter in dead} == POISONED
    assert len(dead) == 3
    # Whether the outage uses the budget up is a matter of timing: how many requests it met.
    assert 0 <= report.retried - budget.spent - budget.denied < 60


async def test_what_went_wrong_leaves_no_trace_in_the_vectors(world: JobsOnAnEmulator) -> None:
    plain = Shelf()
    async with world.job(Memory(documents(COUNT)), plain) as job:
        assert (await job).retried == 0
    trouble(world, 7)
    shelf = Shelf()
    async with world.job(Memory(documents(COUNT)), shelf) as job:
        assert (await job).retried > 0
    assert shelf.durable.keys() == plain.durable.keys()
    assert all((shelf.durable[key] == vector).all() for key, vector in plain.durable.items())
