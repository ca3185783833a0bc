"""An emulator for each test, a session on it, and the models it needs."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest_asyncio

from aiomlcommons import Backoff, Session
from aiomlcommons.api.model_records import Model, ModelState
from aiomlcommons.api.settings import FIRST_MODEL, MLSettings
from aiomlcommons.emulator import Cluster, Emulator
from aiomlcommons.emulator.pytest_plugin import ml_emulator, ml_url  # noqa: F401 - fixtures
from tests import modelserver

NOW = Backoff(first=0)
LOOKS = 6
ALLOWED = MLSettings(
    connector_private_ip_enabled=True, trusted_connector_endpoints_regex=["^http://127[.]0[.]0[.]1:.*$"]
)
DENSE = "huggingface/sentence-transformers/all-MiniLM-L6-v2"


@pytest_asyncio.fixture
async def ml(ml_url: str) -> AsyncGenerator[Session]:  # noqa: F811
    """A session on the emulator, which allows local models; nothing is sent twice."""
    async with Session(ml_url, retries=0, backoff=NOW) as session:
        await session.settings.apply(FIRST_MODEL)
        yield session


@pytest_asyncio.fixture
async def newer() -> AsyncGenerator[Session]:
    """A session on an emulator of 3.8, for what 3.4 does not have."""
    async with Emulator(Cluster(version="3.8.0")).serve() as url, Session(url, retries=0, backoff=NOW) as session:
        yield session


async def deployed(ml: Session, name: str = DENSE, version: str = "1.0.2") -> str:
    """The id of a pretrained model, on the node."""
    started = await ml.models.register(name, version=version, model_format="TORCH_SCRIPT")
    model_id = (await ml.task(started, backoff=NOW)).model_id
    assert model_id
    await ml.task(await ml.models.deploy(model_id), backoff=NOW)
    await seen(ml, model_id)
    return model_id


async def seen(ml: Session, model_id: str, state: ModelState = ModelState.DEPLOYED) -> Model:
    """A model, looked at until its record says what has happened to it."""
    for _ in range(LOOKS):
        model = await ml.models.get(model_id)
        if model.model_state == state:
            return model
    raise AssertionError(f"{model_id} is {model.model_state} after {LOOKS} looks, and not {state}")


@pytest_asyncio.fixture
async def dense(ml: Session) -> str:
    """The id of a dense model of 384 dimensions."""
    return await deployed(ml)


@pytest_asyncio.fixture
async def model_url(ml: Session) -> AsyncGenerator[str]:
    """A model server that the emulator may call."""
    await ml.settings.apply(ALLOWED)
    async with modelserver.serve() as url:
        yield url
