"""Fixtures for your tests: ``pytest_plugins = ["aiomlcommons.emulator.pytest_plugin"]`` in ``conftest.py``.

``ml_url`` is the URL of an emulator of the test's own; ``ml_emulator`` is that emulator, to make faults with. They need
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
    """An emulator that remembers nothing yet; it is served once ``ml_url`` is asked for."""
    from aiomlcommons.emulator import Emulator

    return Emulator()


@pytest_asyncio.fixture
async def ml_url(ml_emulator: Emulator) -> AsyncGenerator[str]:
    """The URL at which ``ml_emulator`` answers as long as the test runs."""
    async with ml_emulator.serve() as url:
        yield url
