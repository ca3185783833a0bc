"""An emulator and a session for each test, with backoff that does not wait."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest_asyncio

from aiomlcommons import Session
from aiomlcommons.api.settings import FIRST_MODEL
from aiomlcommons.emulator import Emulator
from tests.support.served_emulator import NOW, ServedEmulator


@pytest_asyncio.fixture
async def world() -> AsyncGenerator[ServedEmulator]:
    emulator = Emulator()
    async with emulator.serve() as url, Session(url, backoff=NOW) as ml:
        await ml.settings.apply(FIRST_MODEL)
        yield ServedEmulator(emulator, url, ml)
