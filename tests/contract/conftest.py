"""Fixtures of the contract suite, which runs on the emulator or on the cluster of ``--server`` or ``OPENSEARCH_URL``.

    pytest tests/contract
    OPENSEARCH_USERNAME=... OPENSEARCH_PASSWORD=... pytest tests/contract --server https://host:9200

Each test creates its own uniquely named resources and removes them. Models behind connectors and models registered by
URL are served from this machine: a remote cluster reaches them if ``--loopback-host`` is an address of this machine.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest
import pytest_asyncio

from aiomlcommons import Session, TaskFailed
from tests.support.contract import servers
from tests.support.contract.kinds import KINDS
from tests.support.contract.leftovers import left_of
from tests.support.contract.options import option
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


@pytest.fixture
def unique() -> str:
    """Return a unique name."""
    return f"aiomlcommons contract {uuid.uuid4().hex[:12]}"


@pytest.fixture
def zips(request: pytest.FixtureRequest) -> dict[str, Path]:
    """Return the model file of each kind."""
    return {kind: option(request.config, f"--{kind}-zip", MODELS / spec.file) for kind, spec in KINDS.items()}


@pytest.fixture
def loopback(request: pytest.FixtureRequest) -> str:
    """Return the address at which the cluster reaches servers of this machine."""
    host: str = option(request.config, "--loopback-host", "127.0.0.1")
    return host


@pytest_asyncio.fixture
async def server(request: pytest.FixtureRequest) -> AsyncGenerator[Server]:
    """Yield the server under test."""
    url = option(request.config, "--server", os.environ.get("OPENSEARCH_URL"))
    async with servers.server(url, option(request.config, "--restart-command")) as found:
        yield found


@pytest.fixture
def environment(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the environment name the server under test."""
    monkeypatch.setenv("OPENSEARCH_URL", server.url)


@pytest_asyncio.fixture
async def ml(server: Server, loopback: str) -> AsyncGenerator[Session]:
    """Yield a session on a server with the settings that the suite needs; they are restored afterwards."""
    async with server.session() as ml:
        before = await ml.settings.apply(servers.allowed(loopback), skip_missing=True)
        async with afterwards(lambda: ml.settings.apply(before)):
            yield ml


@pytest_asyncio.fixture(autouse=True)
async def _fits_and_leaves_nothing(request: pytest.FixtureRequest, ml: Session, unique: str) -> AsyncGenerator[None]:
    """Skip a test that this server cannot pass, and check that it leaves nothing on the server."""
    await skip_by_version(ml, request.node)
    yield
    assert await left_of(ml, unique) == []
