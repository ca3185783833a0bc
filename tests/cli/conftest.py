"""An emulator for each test: with a deployed model, or as it is by default."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from anyio.from_thread import start_blocking_portal

from aiomlcommons.emulator import AT_ONCE, Emulator
from tests.support.jobs import JobsOnAnEmulator, jobs_on_an_emulator


@pytest_asyncio.fixture
async def world(tmp_path: Path) -> AsyncGenerator[JobsOnAnEmulator]:
    async with jobs_on_an_emulator(tmp_path) as world:
        yield world


@pytest.fixture
def emulated_url() -> Iterator[str]:
    """Serve an emulator as it is by default: without an ML node, although only these may run models."""
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(Emulator(refresh=AT_ONCE).serve()) as url:
        yield url
