"""An emulator with a deployed model for each test."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest_asyncio

from aiomlcommons import Session
from aiomlcommons.emulator import Emulator
from tests.support.jobs import NOW, JobsOnAnEmulator


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncGenerator[JobsOnAnEmulator]:
    emulator = Emulator()
    async with emulator.serve() as url, Session(url, backoff=NOW) as ml:
        await ml.settings.allow_first_model()
        ensured = await ml.models.ensure("all-MiniLM-L6-v2", backoff=NOW)
        yield JobsOnAnEmulator(emulator, ml, ensured.model_id, tmp_path)
