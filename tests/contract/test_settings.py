"""Cluster settings, on whichever server."""

from __future__ import annotations

import pytest

from aiomlcommons import NULL, BadRequest, Session
from aiomlcommons.api.settings import MLSettings

pytestmark = pytest.mark.asyncio


@pytest.mark.parametrize("transient", [False, True])
async def test_settings_are_changed_and_put_back(ml: Session, transient: bool) -> None:
    start = await ml.settings.apply(MLSettings(monitoring_request_count=NULL), transient=transient)
    before = await ml.settings.apply(MLSettings(monitoring_request_count=77), transient=transient)
    assert before.monitoring_request_count is NULL
    assert (await ml.settings.read()).monitoring_request_count == 77
    again = await ml.settings.apply(before, transient=transient)
    assert again.monitoring_request_count == 77
    assert (await ml.settings.read(defaults=False)).monitoring_request_count is None
    await ml.settings.apply(start, transient=transient)


async def test_lists_of_text_come_back_as_they_were_set(ml: Session) -> None:
    patterns = ["^https://a[.]example/.*$", "^https://b[.]example/.*$"]
    before = await ml.settings.apply(MLSettings(trusted_connector_endpoints_regex=patterns))
    assert (await ml.settings.read()).trusted_connector_endpoints_regex == patterns
    await ml.settings.apply(before)


async def test_defaults_are_read(ml: Session) -> None:
    settings = await ml.settings.read()
    assert settings.max_ml_task_per_node is not None
    assert settings.model_auto_redeploy_success_ratio == pytest.approx(0.8)


async def test_an_unknown_setting_is_refused_by_name(ml: Session) -> None:
    with pytest.raises(BadRequest, match=r"plugins\.ml_commons\.no_such"):
        await ml.settings.put(persistent={"plugins.ml_commons.no_such": 1})


async def test_the_server_says_what_it_is(ml: Session) -> None:
    info = await ml.info()
    assert info.version.distribution == "opensearch"
    assert info.extra == {}
