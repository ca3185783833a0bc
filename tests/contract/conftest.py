"""Where the contract suite runs: the emulator, or the cluster that ``--server`` or ``OPENSEARCH_URL`` names.

    pytest tests/contract
    OPENSEARCH_USERNAME=... OPENSEARCH_PASSWORD=... pytest tests/contract --server https://host:9200

Each test makes its own uniquely named resources and removes them. Models behind connectors and models registered by URL
are served from this machine: a cluster elsewhere reaches them when ``--loopback-host`` is an address of this machine.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from aiomlcommons import NULL, Session, emulator
from aiomlcommons.api.settings import MLSettings
from tests.contract.kinds import KINDS

ZIPS = Path(__file__).parent.parent / "models"


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("contract")
    group.addoption("--server", help="URL of a cluster (default: OPENSEARCH_URL, else the emulator)")
    group.addoption("--loopback-host", default="127.0.0.1", help="how the cluster reaches this machine")
    for kind in KINDS:
        group.addoption(f"--{kind}-zip", type=Path, help=f"a {kind} model in place of {KINDS[kind].file}")


def option(config: pytest.Config, name: str, default: Any = None) -> Any:
    """An option of ours; they are unknown when the suite runs as a part of all tests."""
    found = config.getoption(name, default=None)
    return default if found is None else found


@pytest.fixture
def unique() -> str:
    """A name that nobody else has."""
    return f"aiomlcommons contract {uuid.uuid4().hex[:12]}"


@pytest.fixture
def zips(request: pytest.FixtureRequest) -> dict[str, Path]:
    """The model file of each kind."""
    return {kind: option(request.config, f"--{kind}-zip", ZIPS / spec.file) for kind, spec in KINDS.items()}


@pytest.fixture
def loopback(request: pytest.FixtureRequest) -> str:
    """The address under which the cluster reaches servers of ours."""
    host: str = option(request.config, "--loopback-host", "127.0.0.1")
    return host


@pytest_asyncio.fixture
async def ml(request: pytest.FixtureRequest, loopback: str) -> AsyncGenerator[Session]:
    """A session on a cluster whose settings allow all that the suite does; they are put back afterwards."""
    url = option(request.config, "--server", os.environ.get("OPENSEARCH_URL"))
    async with AsyncExitStack() as stack:
        if url is None:
            session = Session(await stack.enter_async_context(emulator.serve()))
        else:
            session = Session.from_env({**os.environ, "OPENSEARCH_URL": url})
        ml = await stack.enter_async_context(session)
        before = await ml.settings.apply(_settings(loopback), skip_missing=True)
        try:
            yield ml
        finally:
            await ml.settings.apply(before)


def _settings(loopback: str) -> MLSettings:
    return MLSettings(
        only_run_on_ml_node=False,
        allow_registering_model_via_url=True,
        allow_registering_model_via_local_file=True,
        native_memory_threshold=99,
        connector_private_ip_enabled=True,
        trusted_connector_endpoints_regex=[rf"^http://{loopback.replace('.', '[.]')}:.*$"],
        model_access_control_enabled=NULL,
    )
