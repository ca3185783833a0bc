"""An emulator with a deployed model for each test that asks for one."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest_asyncio

from tests.support.jobs import JobsOnAnEmulator, jobs_on_an_emulator


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncGenerator[JobsOnAnEmulator]:
    async with jobs_on_an_emulator(tmp_path) as world:
        yield world
