"""docs/how-to/testing.md: pytest in a process of its own, and a job with a dead letter."""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager

from tests.pages.worlds import Place

LOG = logging.getLogger("aiomlcommons")


@asynccontextmanager
async def world(place: Place) -> AsyncGenerator[Mapping[str, object]]:
    """Keep the log off the page, where pytest would not show it either; keep this suite's plugins from its pytest."""
    LOG.disabled = True
    os.environ.update(PYTEST_DISABLE_PLUGIN_AUTOLOAD="1", PYTEST_ADDOPTS="-p pytest_asyncio.plugin -p no:cacheprovider")
    try:
        yield {}
    finally:
        LOG.disabled = False
