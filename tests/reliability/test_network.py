"""Promises under faults of the network, a trial for each kind of fault; ``network`` tries them by the thousand."""

from __future__ import annotations

import itertools
from pathlib import Path

import attrs
import pytest

from tests.reliability.network.kinds import KINDS, once
from tests.reliability.network.operations import OPERATIONS, Operation
from tests.reliability.network.trial import Trial
from tests.reliability.network.world import World, emulated
from tests.support.fault_proxy import Way
from tests.support.faults import Cut

pytestmark = pytest.mark.asyncio
QUICK = ("a prediction", "a call that is not safe to repeat", "a call that is safe to repeat", "a job into a function")
PATIENCE = 0.25


def quick() -> list[Operation]:
    """Return kinds of work that take few requests."""
    return [work for work in OPERATIONS if work.name in QUICK]


@pytest.mark.parametrize("tls", [False, True])
async def test_every_promise_is_kept_under_every_kind_of_fault(tmp_path: Path, tls: bool) -> None:
    kinds = [kind for kind in KINDS if kind.tls is tls]
    met = 0
    async with emulated(tmp_path, tls=tls) as world:
        for seed, (kind, work) in enumerate(zip(kinds, itertools.cycle(quick()), strict=False)):
            short = attrs.evolve(kind, patience=min(kind.patience, PATIENCE) if kind.patience < 10 else kind.patience)
            outcome = await Trial(short, work, seed)(world)
            assert not outcome.loss, f"{kind.name}, {work.name}: {outcome.loss}"
            met += outcome.struck
        assert tls or (await broken(world)).startswith("it should have been repeated: ConnectError: ")
    # A fault at a byte that the answer does not have is not met.
    assert met > 0.8 * len(kinds)


async def broken(world: World) -> str:
    """Return what is said of a promise that cannot be kept: that what is not safe to repeat is repeated."""
    not_safe = next(work for work in OPERATIONS if work.name == "a call that is not safe to repeat")
    lost = attrs.evolve(KINDS[0], arm=once(Cut(Way.ANSWER)))
    return (await Trial(lost, attrs.evolve(not_safe, repeats=True), 10_000)(world)).loss
