"""An emulator with deployed models in a thread of its own: the tests here are not async, as Ray is not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import pytest
from anyio.from_thread import start_blocking_portal

from aiomlcommons import Backoff, Session
from aiomlcommons.emulator import Emulator
from tests.support.opensearch.fixture import (
    opensearch_home,
    opensearch_url,
    pytest_collection_modifyitems,
    pytest_configure,
)
from tests.support.ray_emulator import EmulatorForRay

__all__ = ["opensearch_home", "opensearch_url", "pytest_collection_modifyitems", "pytest_configure"]

T = TypeVar("T")
DENSE, SPARSE = "all-MiniLM-L6-v2", "opensearch-neural-sparse-encoding-doc-v3-distill"


@pytest.fixture
def world() -> Iterator[EmulatorForRay]:
    with _served() as world:
        yield world


@pytest.fixture(scope="module")
def one_world() -> Iterator[EmulatorForRay]:
    """An emulator for a whole module: tests must leave it as it was."""
    with _served() as world:
        yield world


@contextmanager
def _served() -> Iterator[EmulatorForRay]:
    emulator = Emulator()
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(emulator.serve()) as url:
        yield EmulatorForRay(portal, emulator, url, *portal.call(_deployed, url))


async def _deployed(url: str) -> list[str]:
    async with Session(url) as ml:
        await ml.settings.allow_first_model()
        return [(await ml.models.ensure(name, backoff=Backoff(first=0, cap=0))).model_id for name in (DENSE, SPARSE)]
