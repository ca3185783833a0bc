"""A 3.8 that can stream, and OpenAI's chat, which answers."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

from aiomlcommons.emulator import Cluster, Emulator
from tests.pages.worlds import Place
from tests.support.stand_in_providers import stand_ins


def emulator() -> Emulator:
    return Emulator(Cluster(version="3.8.0", streams=True))


@asynccontextmanager
async def world(place: Place) -> AsyncGenerator[Mapping[str, object]]:
    os.environ["OPENAI_API_KEY"] = "not-a-real-key"
    async with stand_ins(place.emulator):
        yield {}
