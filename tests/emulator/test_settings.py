"""Cluster settings: known keys, valid values, and precedence."""

from __future__ import annotations

from typing import Any

import pytest

from aiomlcommons import NULL, BadRequest, Session
from aiomlcommons.api.settings import PREFIX, MLSettings
from aiomlcommons.emulator.settings._defaults import SETTINGS
from aiomlcommons.endpoint import fields_of, wire_name

pytestmark = pytest.mark.asyncio


async def test_every_setting_that_the_client_knows_has_a_default() -> None:
    now = {PREFIX + name for name, setting in SETTINGS.items() if setting.until is None}
    assert {wire_name(field) for field in fields_of(MLSettings) if field.metadata["until"] is None} == now
    assert {wire_name(field) for field in fields_of(MLSettings)} >= {PREFIX + name for name in SETTINGS}


async def test_defaults_are_in_force_until_something_is_set(ml_url: str) -> None:
    async with Session(ml_url) as ml:
        settings = await ml.settings.read()
        assert (settings.only_run_on_ml_node, settings.native_memory_threshold) == (True, 90)
        assert (settings.model_auto_redeploy_success_ratio, settings.remote_job_status_field) == (
            0.8,
            ["status", "Status", "TransformJobStatus"],
        )
        before = await ml.settings.allow_first_model()
        assert (await ml.settings.read()).only_run_on_ml_node is False
        await ml.settings.apply(before)
        assert await ml.settings.read() == settings


async def test_a_transient_setting_wins_and_passes(ml: Session) -> None:
    await ml.settings.apply(MLSettings(max_model_on_node=5))
    await ml.settings.apply(MLSettings(max_model_on_node=7), transient=True)
    assert (await ml.settings.read()).max_model_on_node == 7
    await ml.settings.apply(MLSettings(max_model_on_node=NULL), transient=True)
    assert (await ml.settings.read()).max_model_on_node == 5


async def test_the_setting_in_force_is_the_transient_one(ml: Session, dense: str) -> None:
    await ml.settings.apply(MLSettings(only_run_on_ml_node=True), transient=True)
    with pytest.raises(BadRequest, match="no eligible node found"):
        await ml.models.deploy(dense)


async def test_settings_are_taken_and_given_nested_or_flat(ml: Session) -> None:
    tree = {"plugins": {"ml_commons": {"model_auto_deploy": {"enable": False}, "max_model_on_node": 3}}}
    nested = await ml.settings.put(transient=tree)
    told = {"plugins": {"ml_commons": {"model_auto_deploy": {"enable": "false"}, "max_model_on_node": "3"}}}
    assert (nested.acknowledged, nested.persistent, nested.transient) == (True, {}, told)
    flat = await ml.settings.get(flat_settings=True, include_defaults=True)
    assert flat.transient is not None
    assert flat.transient == {
        "plugins.ml_commons.model_auto_deploy.enable": "false",
        "plugins.ml_commons.max_model_on_node": "3",
    }
    assert flat.defaults
    assert not flat.transient.keys() & flat.defaults.keys()


async def test_settings_of_others_are_kept(ml: Session) -> None:
    await ml.settings.put(persistent={"cluster.routing.allocation.enable": "all"})
    got = await ml.settings.get(flat_settings=True)
    assert got.persistent
    assert got.persistent["cluster.routing.allocation.enable"] == "all"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"no_such": 1}, r"persistent setting \[plugins.ml_commons.no_such\], not recognized"),
        ({"only_run_on_ml_node": "perhaps"}, r"Failed to parse value \[perhaps\] as only \[true\] or \[false\]"),
        ({"native_memory_threshold": 101}, "must be <= 100"),
        ({"native_memory_threshold": -1}, "must be >= 0"),
        ({"native_memory_threshold": "much"}, r"Failed to parse value \[much\]"),
        ({"multi_tenancy_enabled": True}, "not dynamically updateable"),
        ({"remote_metadata_type": "x"}, "not updateable"),
    ],
)
async def test_what_a_setting_cannot_be_is_refused_and_nothing_changes(
    ml: Session, settings: dict[str, Any], words: str
) -> None:
    before = await ml.settings.read()
    changes = {PREFIX + name: value for name, value in ({"max_model_on_node": 1} | settings).items()}
    with pytest.raises(BadRequest, match=words):
        await ml.settings.put(persistent=changes)
    assert await ml.settings.read() == before
