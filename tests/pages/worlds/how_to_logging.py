"""docs/how-to/logging.md: it configures logging, which is put back behind it."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

from tests.pages.worlds import Place

ROOT, OURS = logging.getLogger(), logging.getLogger("aiomlcommons")


@asynccontextmanager
async def world(place: Place) -> AsyncGenerator[Mapping[str, object]]:
    """Keep the handlers and levels."""
    before = [(one, one.level, list(one.handlers)) for one in (ROOT, OURS)]
    try:
        yield {}
    finally:
        for one, level, handlers in before:
            one.setLevel(level)
            one.handlers[:] = handlers
