"""docs/concepts/retries.md: the emulator behind its cluster."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

from tests.pages.worlds import Place


@asynccontextmanager
async def world(place: Place) -> AsyncGenerator[Mapping[str, object]]:
    """Give the emulator, which drops connections on the page."""
    yield {"emulator": place.emulator}
