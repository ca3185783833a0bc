"""Skips tests of what a server does not have, or has a bug in, with its version and the reason.

@pytest.mark.since("3.5", "context management") @pytest.mark.defect("2.4", "2.19", "a session is forgotten")
"""

from __future__ import annotations

import pytest

from aiomlcommons import MLCommonsError, Session, TaskFailed
from aiomlcommons.lifecycle.deployment import NEVER_AGAIN
from aiomlcommons.wire.version import Version

MARKERS = (
    "since(version, what): skip the test where the server is older than what it is about",
    "defect(first, last, words): skip the test on servers of these versions, which do this wrong",
)


def skip_by_error(error: TaskFailed) -> None:
    """Skip a test that fails because a server of 2.4 accepts no more loads."""
    if any(NEVER_AGAIN in note for note in getattr(error, "__notes__", ())):
        pytest.skip(f"OpenSearch 2.4: {NEVER_AGAIN}")


async def skip_by_version(ml: Session, test: pytest.Item) -> None:
    """Skip a test that this server cannot pass, according to the markers of the test."""
    version = await ml.version()
    if version is None:
        return
    for first, what in (mark.args for mark in test.iter_markers("since")):
        if version < Version.parse(first):
            pytest.skip(f"OpenSearch {version}: {what} came with {first}")
    for first, last, words in (mark.args for mark in test.iter_markers("defect")):
        if Version.parse(first) <= version <= Version.parse(last):
            pytest.skip(f"OpenSearch {version}: {words} (a defect of {first} to {last})")


async def has_knn(ml: Session) -> bool:
    """Return whether the server has the k-NN plugin."""
    try:
        plugins = (await ml.request("GET", "/_cat/plugins?format=json")).json()
    except MLCommonsError:
        return False
    return any(plugin["component"] == "opensearch-knn" for plugin in plugins)
