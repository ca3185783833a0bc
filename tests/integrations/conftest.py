"""An emulator with deployed models in a thread of its own: the tests here are not async, as Ray is not."""

from __future__ import annotations

from collections.abc import Iterator

import attrs
import pytest

from tests.support.asymmetric import asymmetric_config
from tests.support.emulator_with_models import CROSS_ENCODER, EmulatorWithModels, emulator_with_models
from tests.support.ensure_process import FILE
from tests.support.opensearch.fixture import (
    opensearch_home,
    opensearch_url,
    pytest_collection_modifyitems,
    pytest_configure,
)
from tests.support.served_emulator import NOW

__all__ = ["opensearch_home", "opensearch_url", "pytest_collection_modifyitems", "pytest_configure"]


@pytest.fixture
def world() -> Iterator[EmulatorWithModels]:
    with emulator_with_models() as world:
        yield world


@pytest.fixture(scope="module")
def reranker(one_world: EmulatorWithModels) -> str:
    """The id of a cross-encoder."""
    return str(one_world.ask(lambda ml: ml.models.ensure(CROSS_ENCODER, backoff=NOW)))


@pytest.fixture(scope="module")
def asymmetric(one_world: EmulatorWithModels) -> str:
    """The id of a model that is told what is a query and what a passage."""
    spec = attrs.evolve(FILE, model_config=asymmetric_config())
    return str(one_world.ask(lambda ml: ml.models.ensure(spec, backoff=NOW)))


@pytest.fixture(scope="module")
def one_world() -> Iterator[EmulatorWithModels]:
    """An emulator for a whole module: tests must leave it as it was."""
    with emulator_with_models() as world:
        yield world
