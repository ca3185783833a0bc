"""Context management, on whichever server has it."""

from __future__ import annotations

import uuid

import pytest
import pytest_asyncio

from aiomlcommons import BadRequest, NotFound, Session
from aiomlcommons.api.context_management import ContextManager
from aiomlcommons.version import Version

pytestmark = pytest.mark.asyncio
WINDOW = ContextManager(type="SlidingWindowManager", config={"max_messages": 10})
CUT = ContextManager(type="ToolsOutputTruncateManager", config={"max_output_length": 40000})


@pytest_asyncio.fixture(autouse=True)
async def has_the_routes(ml: Session) -> None:
    version = await ml.version()
    if version is not None and version < Version(3, 5):
        pytest.skip(f"context management came with OpenSearch 3.5; this server is {version}")


@pytest.fixture
def name() -> str:
    """A name that nobody else has, of letters that a path takes."""
    return f"aiomlcommons_contract_{uuid.uuid4().hex[:12]}"


async def test_a_template_is_created_changed_and_deleted(ml: Session, name: str) -> None:
    created = await ml.context_management.create(name, description="first", hooks={"PRE_LLM": [WINDOW]})
    try:
        assert (created.context_management_name, created.status) == (name, "created")
        with pytest.raises(BadRequest, match="already exists"):
            await ml.context_management.create(name, description="again", hooks={"PRE_LLM": [WINDOW]})
        changed = await ml.context_management.update(name, description="second", hooks={"POST_TOOL": [CUT]})
        assert (changed.id, changed.result) == (name, "updated")
        found = await ml.context_management.get(name)
        assert (found.name, found.description, found.hooks) == (name, "second", {"POST_TOOL": [CUT]})
    finally:
        deleted = await ml.context_management.delete(name)
    assert deleted.status == "deleted"
    with pytest.raises(NotFound, match="not found"):
        await ml.context_management.get(name)


async def test_what_is_missing_cannot_be_deleted(ml: Session, name: str) -> None:
    with pytest.raises(NotFound, match=f"Context management template not found: {name}"):
        await ml.context_management.delete(name)
