"""The switch of index insight, on whichever server has it."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio

from aiomlcommons import FeatureDisabled, NotFound, Session
from aiomlcommons.api.settings import MLSettings
from aiomlcommons.version import Version

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture
async def insight(ml: Session) -> AsyncGenerator[Session]:
    """A session on a server that has the feature, which is switched on; older servers refuse its very setting."""
    version = await ml.version()
    if version is not None and version < Version(3, 3):
        pytest.skip(f"index insight came with OpenSearch 3.3; this server is {version}")
    before = await ml.settings.apply(MLSettings(index_insight_feature_enabled=True))
    try:
        yield ml
    finally:
        await ml.settings.apply(before)


async def test_the_switch_is_kept(insight: Session) -> None:
    try:
        was_on = (await insight.index_insight.get_config()).is_enable
    except NotFound:
        was_on = False
    try:
        for is_on in (True, False):
            assert (await insight.index_insight.put_config(is_enable=is_on)).acknowledged
            assert (await insight.index_insight.get_config()).is_enable is is_on
    finally:
        await insight.index_insight.put_config(is_enable=was_on)


async def test_the_feature_can_be_off(insight: Session) -> None:
    before = await insight.settings.apply(MLSettings(index_insight_feature_enabled=False))
    try:
        with pytest.raises(FeatureDisabled) as caught:
            await insight.index_insight.put_config(is_enable=True)
        assert caught.value.setting == "plugins.ml_commons.index_insight_feature_enabled"
    finally:
        await insight.settings.apply(before)
