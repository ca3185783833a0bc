"""Fixtures: an emulator for each test, a session on it, and models."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest_asyncio

from aiomlcommons import Session
from aiomlcommons.api.settings import FIRST_MODEL
from aiomlcommons.emulator import Cluster, Emulator
from aiomlcommons.emulator.pytest_plugin import ml_emulator, ml_url  # noqa: F401 - fixtures
from tests.support import model_server
from tests.support.emulated_models import ALLOWED, NOW, deployed


@pytest_asyncio.fixture
async def ml(ml_url: str) -> AsyncGenerator[Session]:  # noqa: F811
    """Yield a session on the emulator that allows local models, without retries."""
    async with Session(ml_url, retries=0, backoff=NOW) as session:
        await session.settings.apply(FIRST_MODEL)
        yield session


@pytest_asyncio.fixture
async def newer() -> AsyncGenerator[Session]:
    """Yield a session on an emulator of 3.8, for features that 3.4 lacks."""
    async with Emulator(Cluster(version="3.8.0")).serve() as url, Session(url, retries=0, backoff=NOW) as session:
        yield session


@pytest_asyncio.fixture
async def dense(ml: Session) -> str:
    """Return the id of a dense model of 384 dimensions."""
    return await deployed(ml)


@pytest_asyncio.fixture
async def model_url(ml: Session) -> AsyncGenerator[str]:
    """Yield the URL of a model server that the emulator may call."""
    await ml.settings.apply(ALLOWED)
    async with model_server.serve() as url:
        yield url
