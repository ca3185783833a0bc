"""The page on deploying: a cluster that is ready for local models, as a doctor finds it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

from aiomlcommons import Session
from tests.pages.worlds import Place
from tests.support.served_emulator import NOW


@asynccontextmanager
async def world(place: Place) -> AsyncGenerator[Mapping[str, object]]:
    async with Session(place.url) as ml:
        await ml.settings.allow_first_model()
        yield {"model_id": str(await ml.models.ensure("all-MiniLM-L6-v2", backoff=NOW))}
