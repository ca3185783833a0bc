"""Contract tests: stored configurations."""

from __future__ import annotations

import pytest

from aiomlcommons import BadRequest, NotFound, Session

pytestmark = [pytest.mark.asyncio, pytest.mark.since("2.12", "the configuration endpoint")]


async def test_a_configuration_that_nobody_made_is_missing(ml: Session) -> None:
    with pytest.raises(NotFound):
        await ml.config.get("no-such-config")


async def test_the_master_key_is_not_given_away(ml: Session) -> None:
    with pytest.raises(BadRequest, match="not allowed to access this config doc"):
        await ml.config.get("master_key")
