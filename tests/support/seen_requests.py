"""The requests that an emulator in a thread gets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import attrs
import orjson
from aiohttp import web

from aiomlcommons.emulator.faults import PREDICTIONS
from aiomlcommons.emulator.pool import CallNext
from tests.support.ray_emulator import EmulatorForRay


@attrs.frozen
class Seen:
    """A request: its body, and its ``authorization`` header."""

    body: Any
    authorization: str | None


@contextmanager
def predictions(world: EmulatorForRay) -> Iterator[list[Seen]]:
    """Collect the predictions that are asked for meanwhile."""
    seen: list[Seen] = []

    async def look(request: web.BaseRequest, call_next: CallNext) -> web.StreamResponse:
        seen.append(Seen(orjson.loads(await request.read()), request.headers.get("authorization")))
        return await call_next()

    world.emulator.faults.add(look, on=PREDICTIONS, times=None)
    try:
        yield seen
    finally:
        world.emulator.faults.clear()
