"""Hostile answers: a trial of each kind; ``python -m tests.reliability.hostile`` makes many."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.reliability.hostile.kinds import KINDS
from tests.reliability.hostile.server import serving
from tests.reliability.hostile.trials import session, trial

pytestmark = pytest.mark.asyncio


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with serving() as url:
        yield url


async def test_each_kind_ends_as_promised_in_bounded_memory(server: str) -> None:
    async with session(server) as ml:
        losses = {name: loss for seed, name in enumerate(KINDS) if (loss := (await trial(ml, name, seed)).loss)}
    assert losses == {}
