"""The MCP server of the cluster, and handlers that register, update, remove and list its tools."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

import orjson

from aiomlcommons.api.mcp import (
    CallMcp,
    ListMcpTools,
    McpNode,
    McpTool,
    McpTools,
    OpenMcpStream,
    RegisterMcpTools,
    RemoveMcpTools,
    UpdateMcpTools,
)
from aiomlcommons.emulator.agents import tools
from aiomlcommons.emulator.cluster import Cluster, alter
from aiomlcommons.emulator.connectors.connector_store import as_text
from aiomlcommons.emulator.errors import NO_MCP_SERVER, Refused, illegal, refused
from aiomlcommons.emulator.registry import Bare, handles

PROTOCOL = "2025-03-26"
FAILED = -32603
CAPABILITIES = {
    "logging": {},
    "prompts": {"listChanged": False},
    "resources": {"subscribe": False, "listChanged": False},
    "tools": {"listChanged": True},
}


@handles(RegisterMcpTools)
async def register(cluster: Cluster, request: RegisterMcpTools) -> dict[str, McpNode]:
    """Register tools; refuse all of them if a name is taken or a type is unknown."""
    _check_enabled(cluster)
    for tool in request.tools:
        _check(tool)
    _check_names(cluster, [tool.name or tool.type or "" for tool in request.tools])
    for tool in request.tools:
        name, now = tool.name or tool.type or "", cluster.now()
        new = alter(tool, name=name, description=_description(tool), create_time=now, last_update_time=None)
        cluster.mcp_tools.put(name, new)
    return {cluster.node_id: McpNode(created=True)}


@handles(UpdateMcpTools)
async def update(cluster: Cluster, request: UpdateMcpTools) -> dict[str, McpNode]:
    """Change the fields that are given of each tool, except its type."""
    _check_enabled(cluster)
    known = [tool.name for tool in request.tools if cluster.mcp_tools.get(tool.name or "") is not None]
    if not known:
        raise _failed("Failed to update tools as none of them is found in index")
    if len(known) < len(request.tools):
        raise _failed("Failed to find one or more requested tools in system index")
    for tool in request.tools:
        fields = {"description": _description(tool), "parameters": tool.parameters, "attributes": tool.attributes}
        given = {name: value for name, value in fields.items() if value is not None}
        cluster.mcp_tools.change(tool.name or "", last_update_time=cluster.now(), **given)
    return {cluster.node_id: McpNode(updated=True)}


@handles(RemoveMcpTools)
async def remove(cluster: Cluster, request: RemoveMcpTools) -> dict[str, McpNode]:
    """Remove tools: all of them, or none where one is missing."""
    _check_enabled(cluster)
    names = _names(request.names)
    absent = [name for name in names if cluster.mcp_tools.get(name) is None]
    if len(absent) == len(names):
        raise _failed("Unable to remove tools as no tool in the request found in system index")
    if absent:
        raise _failed(f"Unable to remove tools as these tools: [{', '.join(absent)}] are not found in system index")
    for name in names:
        cluster.mcp_tools.delete(name)
    return {cluster.node_id: McpNode(removed=True)}


@handles(ListMcpTools)
async def list_tools(cluster: Cluster, _: ListMcpTools) -> McpTools:
    """Return the tools in the order of their registration."""
    _check_enabled(cluster)
    return McpTools(tools=[document.source for document in cluster.mcp_tools.documents.values()])


@handles(OpenMcpStream)
async def open_stream(cluster: Cluster, _: OpenMcpStream) -> Bare:
    """Return 405: there is no stream of server messages."""
    _check_enabled(cluster)
    return Bare(405)


@handles(CallMcp)
async def call(cluster: Cluster, request: CallMcp) -> Bare:
    """Answer a JSON-RPC message. An error is reported in the body, with status 200."""
    _check_enabled(cluster)
    if request.id is None:
        return Bare(202)
    answer = {"jsonrpc": "2.0", "id": request.id, **await _answer(cluster, request)}
    return Bare(200, orjson.dumps(answer), "application/json")


async def _answer(cluster: Cluster, request: CallMcp) -> dict[str, Any]:
    method = _METHODS.get(request.method)
    if method is None:
        return _error(f"Missing handler for request type: {request.method}")
    try:
        return {"result": await method(cluster, request.params or {})}
    except Refused as error:
        return _error(error.body["error"]["reason"])


async def _initialize(_: Cluster, __: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "protocolVersion": PROTOCOL,
        "capabilities": CAPABILITIES,
        "serverInfo": {"name": "OpenSearch-MCP-Stateless-Server", "version": "0.1.0"},
        "instructions": "OpenSearch MCP Stateless Server - provides access to ML tools without sessions",
    }


async def _ping(_: Cluster, __: Mapping[str, Any]) -> dict[str, Any]:
    return {}


async def _list(cluster: Cluster, _: Mapping[str, Any]) -> dict[str, Any]:
    return {"tools": [_offered(document.source) for document in cluster.mcp_tools.documents.values()]}


async def _call(cluster: Cluster, params: Mapping[str, Any]) -> dict[str, Any]:
    tool = cluster.mcp_tools.get(str(params.get("name")))
    if tool is None:
        raise illegal(f"Tool not found: {params.get('name')}")
    given = {**(as_text(tool.parameters) or {}), **(as_text(params.get("arguments")) or {})}
    result = await tools.run(cluster, tool.type or "", given)
    return {"content": [{"type": "text", "text": result}], "isError": False}


_METHODS: Mapping[str, Callable[[Cluster, Mapping[str, Any]], Awaitable[dict[str, Any]]]] = {
    "initialize": _initialize,
    "ping": _ping,
    "tools/list": _list,
    "tools/call": _call,
}


def _offered(tool: McpTool) -> dict[str, Any]:
    known = tools.BY_NAME[tool.type or ""]
    schema = tools.schema_of(tool.type or "", tool.attributes)
    return {"name": tool.name, "description": tool.description or known.description, "inputSchema": schema}


def _check(tool: McpTool) -> None:
    if tool.type is None:
        raise illegal("type field required")
    if tool.type not in tools.BY_NAME:
        raise refused(400, "action_request_validation_exception", "Validation Failed: 1: Unrecognized tool in request;")


def _check_names(cluster: Cluster, names: Sequence[str]) -> None:
    taken = [name for name in names if cluster.mcp_tools.get(name) is not None]
    if taken and cluster.is_before("3.5"):
        raise illegal(f"Unable to register tools: [{', '.join(taken)}] as they already exist")
    if taken:
        raise illegal("Unable to register tool: a tool with the same name already exists.")


def _description(tool: McpTool) -> str | None:
    return tool.description if isinstance(tool.description, str) else None


def _names(given: Iterable[str]) -> list[str]:
    """Split the items that hold several names separated by commas."""
    return [name.strip() for item in given for name in item.split(",") if name.strip()]


def _error(message: str) -> dict[str, Any]:
    return {"error": {"code": FAILED, "message": message}}


def _failed(message: str) -> Refused:
    return refused(500, "exception", message)


def _check_enabled(cluster: Cluster) -> None:
    if not cluster.settings.flag("mcp_server_enabled"):
        raise _failed(NO_MCP_SERVER)
