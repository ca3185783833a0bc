"""An emulator with deployed models in a thread of its own: the tests here are not async, as Ray is not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.opensearch.fixture import (
    opensearch_home,
    opensearch_url,
    pytest_collection_modifyitems,
    pytest_configure,
)
from tests.support.ray_emulator import EmulatorForRay, ray_emulator

__all__ = ["opensearch_home", "opensearch_url", "pytest_collection_modifyitems", "pytest_configure"]


@pytest.fixture
def world() -> Iterator[EmulatorForRay]:
    with ray_emulator() as world:
        yield world


@pytest.fixture(scope="module")
def one_world() -> Iterator[EmulatorForRay]:
    """An emulator for a whole module: tests must leave it as it was."""
    with ray_emulator() as world:
        yield world
