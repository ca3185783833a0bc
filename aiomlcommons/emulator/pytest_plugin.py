"""Fixtures for your tests: ``pytest_plugins = ["aiomlcommons.emulator.pytest_plugin"]`` in ``conftest.py``.

``ml_url`` is the URL of an emulator for this test; ``ml_emulator`` is that emulator, to inject faults. They need
pytest-asyncio, in either of its modes.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

if TYPE_CHECKING:
    from aiomlcommons.emulator import Emulator


@pytest.fixture
def ml_emulator() -> Emulator:
    """Return a new emulator; it is served once ``ml_url`` is requested."""
    from aiomlcommons.emulator import Emulator

    return Emulator()


@pytest_asyncio.fixture
async def ml_url(ml_emulator: Emulator) -> AsyncGenerator[str]:
    """Yield the URL at which ``ml_emulator`` is served during the test."""
    async with ml_emulator.serve() as url:
        yield url
