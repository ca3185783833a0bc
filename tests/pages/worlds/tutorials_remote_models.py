"""Providers that answer, and the keys of an account at each."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

from tests.pages.worlds import Place
from tests.support.stand_in_providers import stand_ins

KEYS = ("OPENAI_API_KEY", "COHERE_API_KEY", "GEMINI_API_KEY", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


@asynccontextmanager
async def world(place: Place) -> AsyncGenerator[Mapping[str, object]]:
    os.environ.update(dict.fromkeys(KEYS, "not-a-real-key"))
    async with stand_ins(place.emulator):
        yield {}
