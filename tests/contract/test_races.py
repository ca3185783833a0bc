"""Contract tests: concurrent ``ensure`` calls end with one model in one group, and without errors."""

from __future__ import annotations

import uuid

import pytest

from aiomlcommons import Session
from tests.contract.races import RACES, Race, run
from tests.support.contract.options import option

pytestmark = pytest.mark.asyncio


@pytest.mark.parametrize("race", RACES, ids=str)
async def test_a_race_ends_with_one_model_in_one_group(
    request: pytest.FixtureRequest, ml: Session, unique: str, loopback: str, race: Race
) -> None:
    for _ in range(option(request.config, "--races", 1)):
        outcome = await run(ml, race, f"{unique} {uuid.uuid4().hex[:8]}", loopback)
        assert outcome.problems == []
