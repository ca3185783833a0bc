"""The models of the pages about frameworks, deployed."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

from aiomlcommons import Session
from tests.pages.worlds import Place
from tests.support.served_emulator import NOW

MODELS = (
    "all-MiniLM-L6-v2",
    "ms-marco-MiniLM-L-6-v2",
    "opensearch-neural-sparse-encoding-doc-v3-distill",
    "opensearch-neural-sparse-tokenizer-v1",
)


@asynccontextmanager
async def world(place: Place) -> AsyncGenerator[Mapping[str, object]]:
    """Deploy the models."""
    async with Session(place.url) as ml:
        await ml.settings.allow_first_model()
        for model in MODELS:
            await ml.models.ensure(model, backoff=NOW)
    yield {}
