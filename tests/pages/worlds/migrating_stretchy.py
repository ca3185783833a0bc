"""docs/migrating/stretchy.md: a provider of a chat model, which the cluster may call."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

from aiomlcommons import Session
from tests.pages.worlds import Place
from tests.support import model_server
from tests.support.emulated_models import ALLOWED


@asynccontextmanager
async def world(place: Place) -> AsyncGenerator[Mapping[str, object]]:
    """Serve the provider at ``OPENAI_URL``."""
    async with model_server.serve() as provider, Session(place.url) as ml:
        await ml.settings.apply(ALLOWED)
        os.environ.update(OPENAI_URL=provider, OPENAI_API_KEY="a key")
        yield {}
