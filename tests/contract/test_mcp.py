"""Contract tests: the MCP server of the cluster."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio

from aiomlcommons import ApiError, BadRequest, Session
from aiomlcommons.api.mcp import McpTool
from aiomlcommons.api.settings import MLSettings
from tests.support.contract.undoing import afterwards

pytestmark = [pytest.mark.asyncio, pytest.mark.since("3.3", "an MCP server without a session")]
SCHEMA = {"type": "object", "properties": {"indices": {"type": "array", "items": {"type": "string"}}}}


@pytest_asyncio.fixture
async def switched_on(ml: Session) -> AsyncGenerator[None]:
    """Enable the MCP server."""
    async with ml.settings.temporarily(MLSettings(mcp_server_enabled=True)):
        yield


@pytest_asyncio.fixture
async def name(ml: Session, unique: str, switched_on: None) -> AsyncGenerator[str]:
    """Yield the name of a tool of the MCP server, which is removed if the test did not."""
    name = unique.replace(" ", "_")
    tool = McpTool(type="ListIndexTool", name=name, description="first", attributes={"input_schema": SCHEMA})
    made = await ml.mcp.register_tools([tool])
    assert made
    assert all(node.created for node in made.values())
    async with afterwards(lambda: _remove(ml, name)):
        yield name


async def _remove(ml: Session, name: str) -> None:
    if name in await _names(ml):
        await ml.mcp.remove_tools([name])


async def _names(ml: Session) -> dict[str | None, McpTool]:
    return {tool.name: tool for tool in (await ml.mcp.list_tools()).tools}


async def test_a_tool_is_registered_changed_listed_and_removed(ml: Session, name: str) -> None:
    with pytest.raises(BadRequest, match="already exist"):
        await ml.mcp.register_tools([McpTool(type="ListIndexTool", name=name)])
    updated = await ml.mcp.update_tools([McpTool(name=name, description="second")])
    assert updated
    assert all(node.updated for node in updated.values())
    tool = (await _names(ml))[name]
    assert (tool.type, tool.description, tool.attributes) == ("ListIndexTool", "second", {"input_schema": SCHEMA})
    removed = await ml.mcp.remove_tools([name])
    assert removed
    assert all(node.removed for node in removed.values())
    assert name not in await _names(ml)
    with pytest.raises(ApiError):
        await ml.mcp.remove_tools([name])


async def test_the_server_tells_who_it_is_and_lists_and_calls_its_tools(ml: Session, name: str) -> None:
    client = {"protocolVersion": "2025-03-26", "capabilities": {}, "clientInfo": {"name": "c", "version": "1"}}
    hello = await ml.mcp.call("initialize", client, id=1)
    assert hello
    assert hello.result
    assert "tools" in hello.result["capabilities"]
    assert await ml.mcp.call("notifications/initialized") is None
    listed = await ml.mcp.call("tools/list", {}, id=2)
    assert listed
    assert listed.result
    assert name in {tool["name"] for tool in listed.result["tools"]}
    called = await ml.mcp.call("tools/call", {"name": name, "arguments": {}}, id="three")
    assert called
    assert called.result
    assert called.id == "three"
    (content,) = called.result["content"]
    assert content["text"].startswith("row,health,status,index")


async def test_what_goes_wrong_is_told_in_the_answer(ml: Session, name: str) -> None:
    answer = await ml.mcp.call("tools/call", {"name": f"no_{name}", "arguments": {}}, id=1)
    assert answer
    assert answer.error
    assert answer.result is None


async def test_there_is_no_stream(ml: Session, name: str) -> None:
    with pytest.raises(ApiError) as caught:
        await ml.mcp.open_stream()
    assert caught.value.status == 405
