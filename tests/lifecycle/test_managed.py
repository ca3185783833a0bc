"""Managed domains of Amazon: what is refused there is said in one sentence, with the remedy."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from typing import Any

import pytest
import pytest_asyncio

from aiomlcommons import BlockedBySetting, FileModel, NotSupported, PretrainedModel, Session, UrlModel
from aiomlcommons.emulator import AT_ONCE, Emulator
from tests.support.served_emulator import NOW, ServedEmulator

pytestmark = pytest.mark.asyncio
SPEC = PretrainedModel(name="all-MiniLM-L6-v2")
ADVICE = "AWS advises against switching it off on production domains"


@pytest_asyncio.fixture
async def domain() -> AsyncGenerator[ServedEmulator]:
    emulator = Emulator(flavor="managed", refresh=AT_ONCE)
    async with emulator.serve() as url, Session(url, flavor="managed", backoff=NOW) as ml:
        yield ServedEmulator(emulator, url, ml)


@pytest.mark.parametrize(
    ("spec", "setting"),
    [
        (UrlModel(name="m", url="https://host/m.zip", model_content_hash_value="0" * 64), "via_url"),
        (FileModel(path="no such file.zip"), "via_local_file"),
    ],
)
async def test_a_model_from_a_url_or_a_file_is_refused_with_the_setting_and_the_remedy(
    domain: ServedEmulator, spec: Any, setting: str
) -> None:
    words = rf"^Amazon OpenSearch Service has no models from .*allow_registering_model_{setting}; use a RemoteModel"
    with pytest.raises(NotSupported, match=words):
        await domain.ml.models.ensure(spec, change_settings=True)
    assert await domain.models() == []


async def test_the_settings_for_a_first_model_are_refused_with_the_setting_and_the_remedy(
    domain: ServedEmulator,
) -> None:
    words = r"PutClusterSettings: plugins\.ml_commons\.allow_registering_model_via_url\).*ml\.settings\.ml_on_all_nodes"
    with pytest.raises(NotSupported, match=words):
        await domain.ml.settings.allow_first_model()
    assert (await domain.ml.settings.read(defaults=False)).to_dict() == {}


async def test_a_model_that_needs_an_ml_node_says_what_amazon_advises(domain: ServedEmulator) -> None:
    with pytest.raises(BlockedBySetting, match=rf"only_run_on_ml_node to false.*{ADVICE}") as caught:
        await domain.ml.models.ensure(SPEC, backoff=NOW)
    assert caught.value.advice.startswith(ADVICE)


async def test_changing_the_setting_is_allowed_and_logs_what_amazon_advises(
    domain: ServedEmulator, caplog: pytest.LogCaptureFixture
) -> None:
    ensured = await domain.ml.models.ensure(SPEC, change_settings=True, backoff=NOW)
    assert ensured.deployed
    assert any(ADVICE in one.message for one in caplog.records if one.levelno == logging.WARNING)
