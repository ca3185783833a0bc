"""docs/how-to/ray-and-spark.md: a cluster with the model of the page."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

from aiomlcommons import Backoff, Session
from tests.pages.worlds import Place


@asynccontextmanager
async def world(place: Place) -> AsyncGenerator[Mapping[str, object]]:
    """Deploy the model."""
    async with Session(place.url) as ml:
        await ml.settings.allow_first_model()
        await ml.models.ensure("all-MiniLM-L6-v2", backoff=Backoff(first=0, cap=0))
    yield {}
