"""Pytest fixtures: one real OpenSearch for all tests of a run, and one secured cluster.

A test that uses one of them is marked ``opensearch`` automatically, so ``-m "not opensearch"`` deselects it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.opensearch.artifacts import SECURED, VECTORS, Distribution
from tests.support.opensearch.gather import cached, gathered
from tests.support.opensearch.java import NEEDED, java
from tests.support.opensearch.secured import Cluster, secured
from tests.support.opensearch.server import Server

# Seconds for a test, including the first download of the jars and a start on a busy machine.
LIMIT = 900

SERVERS = {"opensearch_home", "secured_cluster"}


def missing(wanted: Distribution = VECTORS) -> str | None:
    """Return what this machine lacks to run an OpenSearch, or None."""
    if os.name != "posix":
        return "the tests start a real OpenSearch on Linux and macOS only"
    if java() is None:
        return f"a real OpenSearch needs Java {NEEDED} or newer, and none was found (JAVA_HOME may name one)"
    if not cached(wanted).exists() and shutil.which("mvn") is None:
        return "a real OpenSearch is put together by Maven, and there is no mvn on the PATH"
    return None


def refuse(reason: str) -> None:
    """Skip the test, or fail it in CI, where it must run."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def opensearch_home() -> Path:
    """Return the home of a server, for tests that start their own with ``serving()``."""
    if reason := missing():
        refuse(reason)
    return gathered()


@pytest.fixture(scope="session")
def opensearch_url(opensearch_home: Path) -> Iterator[str]:
    """Return the URL of a real OpenSearch with k-NN, which all tests share: use unique index names."""
    server = Server()
    try:
        server.start()
        yield server.url
    finally:
        server.close()


@pytest.fixture(scope="session")
def secured_cluster() -> Iterator[Cluster]:
    """Yield a cluster of two nodes with the security plugin, which all its cases share."""
    if reason := missing(SECURED):
        refuse(reason)
    with secured() as cluster:
        yield cluster


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "opensearch: needs a real OpenSearch server (set by its fixtures)")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if SERVERS.intersection(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.opensearch)
            if not item.get_closest_marker("timeout"):
                item.add_marker(pytest.mark.timeout(LIMIT))
