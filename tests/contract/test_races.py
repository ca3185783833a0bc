"""Several ensure one model at once: it is one in the end, in one group, and none of them is told of an error."""

from __future__ import annotations

import uuid

import pytest

from aiomlcommons import Session
from tests.contract.conftest import option
from tests.contract.races import RACES, Race, run

pytestmark = pytest.mark.asyncio


@pytest.mark.parametrize("race", RACES, ids=str)
async def test_a_race_ends_with_one_model_in_one_group(
    request: pytest.FixtureRequest, ml: Session, unique: str, loopback: str, race: Race
) -> None:
    for _ in range(option(request.config, "--races", 1)):
        outcome = await run(ml, race, f"{unique} {uuid.uuid4().hex[:8]}", loopback)
        assert outcome.problems == []
