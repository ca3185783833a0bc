"""Contract tests: context management."""

from __future__ import annotations

import uuid

import pytest

from aiomlcommons import BadRequest, NotFound, Session
from aiomlcommons.api.context_management import ContextManager
from tests.support.contract.undoing import afterwards

pytestmark = [pytest.mark.asyncio, pytest.mark.since("3.5", "context management")]
WINDOW = ContextManager(type="SlidingWindowManager", config={"max_messages": 10})
CUT = ContextManager(type="ToolsOutputTruncateManager", config={"max_output_length": 40000})


@pytest.fixture
def name() -> str:
    """Return a unique name of characters that are valid in a path."""
    return f"aiomlcommons_contract_{uuid.uuid4().hex[:12]}"


async def test_a_template_is_created_changed_and_deleted(ml: Session, name: str) -> None:
    created = await ml.context_management.create(name, description="first", hooks={"PRE_LLM": [WINDOW]})
    async with afterwards(lambda: _delete(ml, name)):
        assert (created.context_management_name, created.status) == (name, "created")
        with pytest.raises(BadRequest, match="already exists"):
            await ml.context_management.create(name, description="again", hooks={"PRE_LLM": [WINDOW]})
        changed = await ml.context_management.update(name, description="second", hooks={"POST_TOOL": [CUT]})
        assert (changed.id, changed.result) == (name, "updated")
        found = await ml.context_management.get(name)
        assert (found.name, found.description, found.hooks) == (
            name,
            "second",
            {"PRE_LLM": [WINDOW], "POST_TOOL": [CUT]},
        )
    with pytest.raises(NotFound, match="not found"):
        await ml.context_management.get(name)


async def _delete(ml: Session, name: str) -> None:
    assert (await ml.context_management.delete(name)).status == "deleted"


async def test_what_is_missing_cannot_be_deleted(ml: Session, name: str) -> None:
    with pytest.raises(NotFound, match=f"Context management template not found: {name}"):
        await ml.context_management.delete(name)
