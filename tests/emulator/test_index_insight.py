"""The configuration of index insight, and stored configurations."""

from __future__ import annotations

import pytest

from aiomlcommons import ApiError, BadRequest, FeatureDisabled, NotFound, ServerError, Session
from aiomlcommons.api.config import Config
from aiomlcommons.api.settings import MLSettings
from aiomlcommons.emulator import Emulator

pytestmark = pytest.mark.asyncio


async def test_the_feature_must_be_on(ml: Session) -> None:
    with pytest.raises(FeatureDisabled, match="not enabled yet") as caught:
        await ml.index_insight.put_config(is_enable=True)
    assert (caught.value.status, caught.value.type) == (500, "runtime_exception")
    assert caught.value.setting == "plugins.ml_commons.index_insight_feature_enabled"


async def test_the_switch_is_kept(ml: Session) -> None:
    await ml.settings.apply(MLSettings(index_insight_feature_enabled=True))
    with pytest.raises(ServerError, match=r"no such index \[\.plugins-ml-index-insight-config\]"):
        await ml.index_insight.get_config()
    for is_on in (True, False):
        assert (await ml.index_insight.put_config(is_enable=is_on)).acknowledged
        assert (await ml.index_insight.get_config()).is_enable is is_on


async def test_insights_are_not_emulated(ml: Session) -> None:
    await ml.settings.apply(MLSettings(index_insight_feature_enabled=True))
    with pytest.raises(BadRequest, match="Wrong index insight type"):
        await ml.index_insight.get("i", "other")
    with pytest.raises(NotFound, match=r"no such index \[i\]"):
        await ml.index_insight.get("i", "ALL")
    await ml.model_groups.register("g")
    await ml.index_insight.put_config(is_enable=True)
    with pytest.raises(ApiError) as caught:
        await ml.index_insight.get(".plugins-ml-model-group", "statistical_data")
    assert (caught.value.status, caught.value.type) == (501, "not_emulated")


async def test_configurations_are_those_that_a_test_puts_there(ml: Session, ml_emulator: Emulator) -> None:
    ml_emulator.cluster.configs.put("os_chat", Config(type="os_chat_root_agent", configuration={"agent_id": "a"}))
    assert (await ml.config.get("os_chat")).configuration == {"agent_id": "a"}
    with pytest.raises(NotFound, match="provided config id: nope"):
        await ml.config.get("nope")
    with pytest.raises(BadRequest, match="not allowed to access this config doc"):
        await ml.config.get("master_key")
