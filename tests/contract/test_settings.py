"""Contract tests: cluster settings."""

from __future__ import annotations

import pytest

from aiomlcommons import NULL, BadRequest, InvalidRequest, NotSupported, Session
from aiomlcommons.api.settings import PREFIX, MLSettings
from aiomlcommons.endpoint import fields_of, wire_name
from tests.support.contract.undoing import afterwards

pytestmark = pytest.mark.asyncio


@pytest.mark.parametrize("transient", [False, True])
async def test_settings_are_changed_and_put_back(ml: Session, transient: bool) -> None:
    start = await ml.settings.apply(MLSettings(monitoring_request_count=NULL), transient=transient)
    async with afterwards(lambda: ml.settings.apply(start, transient=transient)):
        await _change(ml, transient)


async def _change(ml: Session, transient: bool) -> None:
    before = await ml.settings.apply(MLSettings(monitoring_request_count=77), transient=transient)
    assert before.monitoring_request_count is NULL
    assert (await ml.settings.read()).monitoring_request_count == 77
    again = await ml.settings.apply(before, transient=transient)
    assert again.monitoring_request_count == 77
    assert (await ml.settings.read(defaults=False)).monitoring_request_count is None


@pytest.mark.since("2.9", "a setting that holds a list")
async def test_lists_of_text_come_back_as_they_were_set(ml: Session) -> None:
    patterns = ["^https://a[.]example/.*$", "^https://b[.]example/.*$"]
    async with ml.settings.temporarily(MLSettings(trusted_connector_endpoints_regex=patterns)):
        assert (await ml.settings.read()).trusted_connector_endpoints_regex == patterns


@pytest.mark.since("2.9", "a setting that holds a list")
async def test_a_host_is_trusted_beside_those_that_are(ml: Session) -> None:
    known = (await ml.settings.read()).trusted_connector_endpoints_regex
    assert isinstance(known, list)
    before = await ml.settings.trust("https://models.example:8443/v1/embeddings?key=s3cret")
    try:
        await ml.settings.trust("https://models.example:8443")
        wider = [*known, r"^https://models\.example:8443/.*$"]
        assert (await ml.settings.read()).trusted_connector_endpoints_regex == wider
    finally:
        await ml.settings.apply(before)
    assert (await ml.settings.read()).trusted_connector_endpoints_regex == known


async def test_what_is_no_url_is_not_trusted(ml: Session) -> None:
    for url in ("models.example", "ftp://models.example/", "https://", ""):
        with pytest.raises(InvalidRequest, match="url must begin with https:// or http:// and a host"):
            await ml.settings.trust(url)


async def test_defaults_are_read(ml: Session) -> None:
    settings = await ml.settings.read()
    assert settings.max_ml_task_per_node is not None
    assert settings.model_auto_redeploy_success_ratio in {0.8, None}  # None before 2.7


async def test_every_setting_of_the_server_has_a_name_here(ml: Session) -> None:
    got = await ml.settings.get(include_defaults=True, flat_settings=True)
    there = {key for part in (got.defaults, got.persistent, got.transient) for key in part or {}}
    known = {wire_name(field) for field in fields_of(MLSettings)}
    assert {key for key in there if key.startswith(PREFIX)} <= known


async def test_nothing_to_change_changes_nothing(ml: Session) -> None:
    assert await ml.settings.apply(MLSettings()) == MLSettings()


async def test_a_setting_of_another_version_is_named_and_can_be_left_out(ml: Session) -> None:
    wanted = MLSettings(agentic_search_enabled=True, update_connector_enabled=True, monitoring_request_count=78)
    with pytest.raises(NotSupported, match=r"update_connector\.enabled needs OpenSearch 2\.11 alone"):
        await ml.settings.apply(wanted)
    async with ml.settings.temporarily(wanted, transient=True, skip_missing=True):
        assert (await ml.settings.read()).monitoring_request_count == 78


async def test_what_a_first_model_needs_is_set_and_put_back(ml: Session) -> None:
    start = await ml.settings.read(defaults=False)
    before = await ml.settings.allow_first_model(transient=True)
    async with afterwards(lambda: ml.settings.apply(before, transient=True)):
        assert (await ml.settings.read()).only_run_on_ml_node is False
    assert await ml.settings.read(defaults=False) == start


async def test_an_unknown_setting_is_refused_by_name(ml: Session) -> None:
    with pytest.raises(BadRequest, match=r"plugins\.ml_commons\.no_such"):
        await ml.settings.put(persistent={"plugins.ml_commons.no_such": 1})


async def test_the_server_says_what_it_is(ml: Session) -> None:
    info = await ml.info()
    assert info.version.distribution == "opensearch"
    assert info.extra == {}
