"""Contract tests: the configuration of index insight."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio

from aiomlcommons import ApiError, FeatureDisabled, Session
from aiomlcommons.api.settings import MLSettings
from tests.support.contract.undoing import afterwards

pytestmark = [pytest.mark.asyncio, pytest.mark.since("3.3", "index insight")]


@pytest_asyncio.fixture
async def insight(ml: Session) -> AsyncGenerator[Session]:
    """Yield a session on a server that has the feature, with it enabled."""
    async with ml.settings.temporarily(MLSettings(index_insight_feature_enabled=True)):
        yield ml


async def test_the_switch_is_kept(insight: Session) -> None:
    try:
        was_on = (await insight.index_insight.get_config()).is_enable
    except ApiError as error:
        # Never set: 404, or 500 where its index does not exist either.
        assert error.status == 404 or "no such index" in str(error)  # noqa: PT017
        was_on = False
    async with afterwards(lambda: insight.index_insight.put_config(is_enable=was_on)):
        for is_on in (True, False):
            assert (await insight.index_insight.put_config(is_enable=is_on)).acknowledged
            assert (await insight.index_insight.get_config()).is_enable is is_on


async def test_the_feature_can_be_off(insight: Session) -> None:
    async with insight.settings.temporarily(MLSettings(index_insight_feature_enabled=False)):
        with pytest.raises(FeatureDisabled) as caught:
            await insight.index_insight.put_config(is_enable=True)
        assert caught.value.setting == "plugins.ml_commons.index_insight_feature_enabled"
