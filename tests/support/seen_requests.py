"""The requests that an emulator in a thread gets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import attrs
import orjson
from aiohttp import web

from aiomlcommons.emulator.faults import PREDICTIONS
from aiomlcommons.emulator.pool import CallNext
from tests.support.emulator_with_models import EmulatorWithModels


@attrs.frozen
class Seen:
    """A request: its path, its body, and its ``authorization`` header."""

    path: str
    body: Any
    authorization: str | None

    @property
    def side(self) -> str | None:
        """What an asymmetric model is told that the texts are."""
        side: str | None = (self.body.get("parameters") or {}).get("content_type")
        return side


class AllSeen(list[Seen]):
    """The requests in the order in which they came, and how many of them were answered at once, at most."""

    most_at_once = 0


@contextmanager
def requests(world: EmulatorWithModels, **matching: Any) -> Iterator[AllSeen]:
    """Collect the requests that come meanwhile; ``matching`` says which, as for a fault of the emulator."""
    seen, now = AllSeen(), 0

    async def look(request: web.BaseRequest, call_next: CallNext) -> web.StreamResponse:
        nonlocal now
        body = orjson.loads(await request.read() or b"null")
        seen.append(Seen(request.path, body, request.headers.get("authorization")))
        now += 1
        seen.most_at_once = max(seen.most_at_once, now)
        try:
            return await call_next()
        finally:
            now -= 1

    world.emulator.faults.add(look, times=None, **matching)
    try:
        yield seen
    finally:
        world.emulator.faults.clear()


def predictions(world: EmulatorWithModels) -> AbstractContextManager[AllSeen]:
    """Collect the predictions that are asked for meanwhile."""
    return requests(world, on=PREDICTIONS)
