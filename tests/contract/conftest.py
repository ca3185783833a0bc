"""Where the contract suite runs: the emulator, or the cluster that ``--server`` or ``OPENSEARCH_URL`` names.

    pytest tests/contract
    OPENSEARCH_USERNAME=... OPENSEARCH_PASSWORD=... pytest tests/contract --server https://host:9200

Each test makes its own uniquely named resources and removes them. Models behind connectors and models registered by URL
are served from this machine: a cluster elsewhere reaches them when ``--loopback-host`` is an address of this machine.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from aiomlcommons import Session, TaskFailed
from tests.support.contract import servers
from tests.support.contract.kinds import KINDS
from tests.support.contract.leftovers import left_of
from tests.support.contract.servers import Server
from tests.support.contract.undoing import afterwards
from tests.support.contract.versions import MARKERS, skip_by_error, skip_by_version
from tests.support.paths import MODELS


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("contract")
    group.addoption("--server", help="URL of a cluster (default: OPENSEARCH_URL, else the emulator)")
    group.addoption("--restart-command", help="what kills and restarts the cluster of --server, for test_restarts.py")
    group.addoption("--races", type=int, default=1, help="how often each race of test_races.py is run (default 1)")
    group.addoption("--loopback-host", default="127.0.0.1", help="how the cluster reaches this machine")
    for kind in KINDS:
        group.addoption(f"--{kind}-zip", type=Path, help=f"a {kind} model in place of {KINDS[kind].file}")


def pytest_configure(config: pytest.Config) -> None:
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, object, object]:
    try:
        return (yield)
    except TaskFailed as error:
        skip_by_error(error)
        raise


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
    return {kind: option(request.config, f"--{kind}-zip", MODELS / spec.file) for kind, spec in KINDS.items()}


@pytest.fixture
def loopback(request: pytest.FixtureRequest) -> str:
    """The address under which the cluster reaches servers of ours."""
    host: str = option(request.config, "--loopback-host", "127.0.0.1")
    return host


@pytest_asyncio.fixture
async def server(request: pytest.FixtureRequest) -> AsyncGenerator[Server]:
    """The server that the test runs on."""
    url = option(request.config, "--server", os.environ.get("OPENSEARCH_URL"))
    async with servers.server(url, option(request.config, "--restart-command")) as found:
        yield found


@pytest_asyncio.fixture
async def ml(server: Server, loopback: str) -> AsyncGenerator[Session]:
    """A session on a server whose settings allow all that the suite does; they are put back afterwards."""
    async with server.session() as ml:
        before = await ml.settings.apply(servers.allowed(loopback), skip_missing=True)
        async with afterwards(lambda: ml.settings.apply(before)):
            yield ml


@pytest_asyncio.fixture(autouse=True)
async def _fits_and_leaves_nothing(request: pytest.FixtureRequest, ml: Session, unique: str) -> AsyncGenerator[None]:
    """Skip what this server cannot pass, and see that nothing of a test stays on it."""
    await skip_by_version(ml, request.node)
    yield
    assert await left_of(ml, unique) == []
