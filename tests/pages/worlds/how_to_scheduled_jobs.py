"""docs/how-to/scheduled-jobs.md: a cluster that allows local models."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

from aiomlcommons import Session
from tests.pages.worlds import Place


@asynccontextmanager
async def world(place: Place) -> AsyncGenerator[Mapping[str, object]]:
    """Change the settings that keep a first model out."""
    async with Session(place.url) as ml:
        await ml.settings.allow_first_model()
    yield {}
