"""What docs/clusters.md takes for granted: a model, a password, and a token of somebody."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

from aiomlcommons import BearerAuth, Session
from tests.pages.worlds import Place


@asynccontextmanager
async def world(place: Place) -> AsyncGenerator[Mapping[str, object]]:
    """Deploy a model; the emulator takes any credentials."""
    async with Session(place.url) as ml:
        await ml.settings.allow_first_model()
        model = await ml.models.ensure("all-MiniLM-L6-v2")
    yield {
        "Session": Session,
        "BearerAuth": BearerAuth,
        "model_id": model.model_id,
        "password": "secret",
        "token_of_ann": "token",
    }
