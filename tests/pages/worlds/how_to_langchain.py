"""A cluster that allows models, as it is after somebody has used it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

from aiomlcommons import Backoff, Session
from tests.pages.worlds import Place


@asynccontextmanager
async def world(place: Place) -> AsyncGenerator[Mapping[str, object]]:
    """Let the models of the page be deployed."""
    async with Session(place.url) as ml:
        await ml.settings.allow_first_model()
        for model in ("all-MiniLM-L6-v2", "ms-marco-MiniLM-L-6-v2"):
            await ml.models.ensure(model, backoff=Backoff(first=0))
    yield {}
