"""An emulator and a session for each test; waiting takes no time."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import attrs
import pytest_asyncio

from aiomlcommons import Backoff, Session
from aiomlcommons.api.model_records import Model
from aiomlcommons.api.settings import FIRST_MODEL
from aiomlcommons.emulator import Emulator

NOW = Backoff(first=0)


@attrs.frozen
class World:
    """An emulator, its URL, and a session on it."""

    emulator: Emulator
    url: str
    ml: Session

    async def models(self) -> list[tuple[str, Model]]:
        """Every model that the cluster has."""
        return [(hit.id, hit.source) async for hit in self.ml.models.search() if hit.source]


@pytest_asyncio.fixture
async def world() -> AsyncGenerator[World]:
    emulator = Emulator()
    async with emulator.serve() as url, Session(url, backoff=NOW) as ml:
        await ml.settings.apply(FIRST_MODEL)
        yield World(emulator, url, ml)
