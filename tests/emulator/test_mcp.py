"""The MCP server and client of the emulator, beyond the recordings."""

from __future__ import annotations

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from aiomlcommons import NULL, ApiError, BadRequest, NotFound, Session
from aiomlcommons.api.connectors import ConnectorAction
from aiomlcommons.api.mcp import McpTool
from aiomlcommons.api.settings import MLSettings
from tests.support.emulated_models import ALLOWED
from tests.support.recording_server import reply, serve

pytestmark = pytest.mark.asyncio
LISTS = McpTool(type="ListIndexTool", name="lists", description="lists indices", parameters={"indices": ["*config"]})


@pytest_asyncio.fixture(autouse=True)
async def _enabled(ml: Session) -> None:
    await ml.settings.apply(MLSettings(mcp_server_enabled=True))


async def test_a_tool_is_called_as_its_type_where_it_has_no_name(ml: Session) -> None:
    await ml.mcp.register_tools([McpTool(type="MLModelTool", description=NULL)])
    (tool,) = (await ml.mcp.list_tools()).tools
    assert (tool.name, tool.description) == ("MLModelTool", None)
    listed = await ml.mcp.call("tools/list", id=1)
    assert listed
    assert listed.result
    assert listed.result["tools"] == [
        {"name": "MLModelTool", "description": "Use this tool to run any model.", "inputSchema": {}}
    ]


async def test_none_is_registered_where_one_is_refused(ml: Session) -> None:
    with pytest.raises(ApiError, match="Unrecognized tool in request"):
        await ml.mcp.register_tools([LISTS, McpTool(type="NopeTool")])
    with pytest.raises(BadRequest, match="type field required"):
        await ml.mcp.register_tools([LISTS, McpTool(name="x")])
    assert (await ml.mcp.list_tools()).tools == []


async def test_an_update_leaves_the_rest_and_changes_none_where_one_is_missing(ml: Session) -> None:
    with pytest.raises(ApiError, match="none of them is found"):
        await ml.mcp.update_tools([LISTS])
    await ml.mcp.register_tools([LISTS])
    with pytest.raises(ApiError, match="one or more requested tools"):
        await ml.mcp.update_tools([McpTool(name="lists", description="x"), McpTool(name="other")])
    await ml.mcp.update_tools([McpTool(name="lists", type="MLModelTool", attributes={"a": 1})])
    (tool,) = (await ml.mcp.list_tools()).tools
    assert (tool.type, tool.description, tool.attributes) == ("ListIndexTool", "lists indices", {"a": 1})
    assert tool.last_update_time is not None


async def test_a_description_may_be_none_and_a_schema_no_json(ml: Session) -> None:
    await ml.mcp.register_tools([LISTS, McpTool(type="IndexInsightTool")])
    await ml.mcp.update_tools([McpTool(name="lists", description=NULL, attributes={"input_schema": "no JSON"})])
    tool, _ = (await ml.mcp.list_tools()).tools
    assert tool.description == "lists indices"
    listed = await ml.mcp.call("tools/list", id=1)
    assert listed
    assert listed.result
    assert [(tool["name"], tool["inputSchema"]) for tool in listed.result["tools"]] == [
        ("lists", {}),
        ("IndexInsightTool", {}),
    ]


async def test_names_may_be_many_with_commas_and_none_is_removed_where_one_is_missing(ml: Session) -> None:
    await ml.mcp.register_tools([LISTS, McpTool(type="MLModelTool")])
    with pytest.raises(ApiError, match=r"these tools: \[other\] are not found"):
        await ml.mcp.remove_tools(["lists", "other"])
    await ml.mcp.remove_tools(["lists,MLModelTool"])
    with pytest.raises(ApiError, match="no tool in the request found"):
        await ml.mcp.remove_tools(["lists"])


async def test_a_call_runs_the_tool_with_its_parameters_and_the_arguments(ml: Session) -> None:
    await ml.model_groups.register("g")
    await ml.mcp.register_tools([LISTS])
    called = await ml.mcp.call("tools/call", {"name": "lists"}, id=1)
    assert called
    assert called.result
    text = called.result["content"][0]["text"]
    assert (text.count("\n"), ".plugins-ml-config" in text) == (2, True)
    called = await ml.mcp.call("tools/call", {"name": "lists", "arguments": {"indices": ["*group"]}}, id=2)
    assert called
    assert called.result
    assert ".plugins-ml-model-group" in called.result["content"][0]["text"]


async def test_trouble_is_told_with_the_status_of_success(ml: Session) -> None:
    await ml.mcp.register_tools([McpTool(type="IndexMappingTool")])
    for method, name, words in [
        ("tools/call", "IndexMappingTool", "the emulator cannot run IndexMappingTool"),
        ("tools/call", "nope", "Tool not found: nope"),
        ("tools/dance", "x", "Missing handler for request type: tools/dance"),
    ]:
        answer = await ml.mcp.call(method, {"name": name}, id="a")
        assert answer
        assert answer.error
        assert answer.id == "a"
        assert (answer.error["code"], answer.error["message"].startswith(words)) == (-32603, True)
    ping = await ml.mcp.call("ping", id=1)
    assert ping
    assert ping.result == {}


async def test_a_notification_is_accepted_with_an_empty_answer(ml: Session, ml_url: str) -> None:
    assert await ml.mcp.call("notifications/initialized") is None
    message = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    async with aiohttp.ClientSession() as client, client.post(f"{ml_url}/_plugins/_ml/mcp", json=message) as answer:
        assert (answer.status, await answer.read()) == (202, b"")


async def test_the_server_may_be_switched_off(ml: Session) -> None:
    await ml.settings.apply(MLSettings(mcp_server_enabled=False))
    with pytest.raises(ApiError, match="The MCP server is not enabled"):
        await ml.mcp.call("ping", id=1)


# ---- tools of other servers ----------------------------------------------------------------------------------------


@pytest_asyncio.fixture
async def asking(newer: Session) -> Session:
    """Yield a session on another emulator, which may call MCP servers."""
    await newer.settings.apply(ALLOWED)
    await newer.settings.apply(MLSettings(mcp_connector_enabled=True))
    return newer


async def _connector(ml: Session, url: str, protocol: str = "mcp_streamable_http") -> str:
    made = await ml.connectors.create(
        "c", version=1, url=url, protocol=protocol, parameters={"endpoint": "/_plugins/_ml/mcp"}
    )
    return made.connector_id


async def test_a_connector_tells_the_tools_of_a_server_that_it_really_asks(
    ml: Session, ml_url: str, asking: Session
) -> None:
    await ml.mcp.register_tools([LISTS])
    (tool,) = (await asking.mcp.list_connector_tools(await _connector(asking, ml_url))).tools
    assert (tool.name, tool.type, tool.description) == ("lists", "McpStreamableHttpTool", "lists indices")
    assert tool.input_schema
    assert tool.input_schema.startswith('{"type":"object"')
    await ml.mcp.remove_tools(["lists"])
    assert (await asking.mcp.list_connector_tools(await _connector(asking, ml_url))).tools == []


async def test_a_server_may_answer_in_events_and_have_a_session(asking: Session) -> None:
    tools = b'event: message\ndata: {"jsonrpc":"2.0","id":2,"result":{"tools":[{"name":"t"}]}}\n\n'
    answers = [
        web.Response(text='data: {"jsonrpc":"2.0","id":1,"result":{}}\n\n', headers={"mcp-session-id": "s"}),
        web.Response(status=202),
        web.Response(body=tools, content_type="text/event-stream"),
    ]
    async with serve(*answers) as server:
        (tool,) = (await asking.mcp.list_connector_tools(await _connector(asking, server.url))).tools
    assert (tool.name, tool.description, tool.input_schema) == ("t", None, None)
    assert [heard.headers.get("mcp-session-id") for heard in server.heard] == [None, "s", "s"]


async def test_a_server_that_fails_or_is_not_there_is_told(asking: Session) -> None:
    async with serve(reply({}, 500)) as server:
        connector_id = await _connector(asking, server.url)
        with pytest.raises(ApiError, match="Failed to list the tools"):
            await asking.mcp.list_connector_tools(connector_id)
    with pytest.raises(ApiError, match="Failed to list the tools"):
        await asking.mcp.list_connector_tools(connector_id)


async def test_only_mcp_connectors_have_tools(asking: Session) -> None:
    action = ConnectorAction(action_type="predict", method="POST", url="http://127.0.0.1:1/x")
    made = await asking.connectors.create("c", version=1, protocol="http", actions=[action])
    with pytest.raises(BadRequest, match="is not of type McpConnector or McpStreamableHttpConnector"):
        await asking.mcp.list_connector_tools(made.connector_id)
    with pytest.raises(NotFound, match="Failed to find connector"):
        await asking.mcp.list_connector_tools("nope")
    events = await _connector(asking, "http://127.0.0.1:1", protocol="mcp_sse")
    with pytest.raises(ApiError, match="does not speak mcp_sse"):
        await asking.mcp.list_connector_tools(events)
    await asking.settings.apply(MLSettings(mcp_connector_enabled=False))
    with pytest.raises(ApiError, match="The MCP connector is not enabled"):
        await asking.mcp.list_connector_tools(events)
