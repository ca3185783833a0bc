"""Context management, beyond the recordings, and the version that an emulator reports."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio

from aiomlcommons import ApiError, BadRequest, NotFound, NotSupported, Session
from aiomlcommons.api.context_management import ContextManager
from aiomlcommons.emulator import Cluster, Emulator

pytestmark = pytest.mark.asyncio
WINDOW = ContextManager(type="SlidingWindowManager", config={"max_messages": 10})
PATH = "/_plugins/_ml/context_management"


@pytest_asyncio.fixture
async def newer() -> AsyncGenerator[Session]:
    """Yield a session on an emulated 3.8."""
    async with Emulator(Cluster(version="3.8.0")).serve() as url, Session(url, retries=0) as ml:
        yield ml


async def test_a_server_without_the_routes_does_not_know_them(ml: Session) -> None:
    with pytest.raises(ApiError) as caught:
        await ml.request("GET", PATH)
    assert caught.value.reason == f"no handler found for uri [{PATH}] and method [GET]"
    with pytest.raises(NotSupported, match=r"needs OpenSearch 3\.5; this server is 3\.4"):
        await ml.context_management.list()


async def test_the_emulator_says_the_version_that_it_was_given(newer: Session) -> None:
    assert (await newer.info()).version.number == "3.8.0"
    assert (await newer.context_management.list()).total == 0


async def test_routes_of_the_past_are_gone(newer: Session) -> None:
    with pytest.raises(ApiError, match="no handler found for uri"):
        await newer.request("POST", "/_plugins/_ml/_batch_ingestion", body={})


async def test_an_old_server_has_old_names() -> None:
    async with Emulator(Cluster(version="2.4.1")).serve() as url, Session(url, retries=0) as ml:
        with pytest.raises(NotFound, match="Fail to find model"):
            await ml.models.deploy("nope")
        with pytest.raises(ApiError, match="no handler found for uri"):
            await ml.request("POST", "/_plugins/_ml/models/nope/_deploy")


async def test_a_change_leaves_alone_what_is_not_given(newer: Session) -> None:
    await newer.context_management.create("a", description="first", hooks={"PRE_LLM": [WINDOW]})
    await newer.context_management.update("a", description="second")
    found = await newer.context_management.get("a")
    assert (found.description, found.hooks) == ("second", {"PRE_LLM": [WINDOW]})
    await newer.context_management.update("a", hooks={"POST_TOOL": []})
    assert (await newer.context_management.get("a")).hooks == {"PRE_LLM": [WINDOW], "POST_TOOL": []}


async def test_templates_are_listed_in_pages(newer: Session) -> None:
    for name in "abc":
        await newer.context_management.create(name)
    page = await newer.context_management.list(from_=1, size=1)
    assert (page.total, [template.name for template in page.templates]) == (3, ["b"])
    with pytest.raises(BadRequest, match="size 1 to 1000"):
        await newer.context_management.list(size=1001)
