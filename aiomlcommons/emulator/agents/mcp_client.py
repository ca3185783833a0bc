"""An MCP client: the emulator really connects to the MCP server of a connector and lists its tools."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import aiohttp
import orjson

from aiomlcommons.api.connectors import McpConnector
from aiomlcommons.api.mcp import ConnectorTool, ConnectorTools, ListConnectorTools
from aiomlcommons.emulator.agents.mcp_server import PROTOCOL
from aiomlcommons.emulator.bounded import text_of
from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.emulator.connectors.connector_store import check_exists, check_host
from aiomlcommons.emulator.connectors.templates import fill
from aiomlcommons.emulator.errors import NO_MCP_CONNECTORS, Refused, refused, status_error
from aiomlcommons.emulator.registry import handles
from aiomlcommons.http import JSON

HTTP = "mcp_streamable_http"
HELLO = {"protocolVersion": PROTOCOL, "capabilities": {}, "clientInfo": {"name": "emulator", "version": "1"}}


@handles(ListConnectorTools)
async def list_tools(cluster: Cluster, request: ListConnectorTools) -> ConnectorTools:
    """List the tools of an MCP server; only ``mcp_streamable_http`` is supported."""
    key = request.connector_id
    connector = check_exists(cluster, key, "Failed to find connector")
    if not isinstance(connector, McpConnector):
        raise status_error(400, f"Connector with ID {key} is not of type McpConnector or McpStreamableHttpConnector")
    if not cluster.settings.flag("mcp_connector_enabled"):
        raise refused(500, "exception", NO_MCP_CONNECTORS)
    if connector.protocol != HTTP:
        raise refused(501, "not_emulated", f"the emulator does not speak {connector.protocol}, only {HTTP}")
    found = await _tools(cluster, key, connector)
    return ConnectorTools(tools=[_tool(tool) for tool in found])


async def _tools(cluster: Cluster, key: str, connector: McpConnector) -> list[Mapping[str, Any]]:
    url = (connector.url or "").rstrip("/") + (connector.parameters or {}).get("endpoint", "/mcp")
    check_host(cluster, url)
    values = {"parameters": connector.parameters or {}, "credential": cluster.credentials.get(key, {})}
    own = {name: fill(value, values) for name, value in (connector.headers or {}).items()}
    headers = {"content-type": JSON, "accept": "application/json, text/event-stream", **own}
    try:
        session = await _send(cluster, url, headers, {"id": 1, "method": "initialize", "params": HELLO})
        headers |= {"mcp-session-id": session[0]} if session[0] else {}
        await _send(cluster, url, headers, {"method": "notifications/initialized"})
        _, answer = await _send(cluster, url, headers, {"id": 2, "method": "tools/list", "params": {}})
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        raise _unreachable(str(error)) from error
    if "result" not in answer:
        raise _unreachable(str(answer.get("error")))
    found: list[Mapping[str, Any]] = answer["result"].get("tools", [])
    return found


async def _send(
    cluster: Cluster, url: str, headers: Mapping[str, str], message: Mapping[str, Any]
) -> tuple[str | None, Mapping[str, Any]]:
    """Send a JSON-RPC message; return the session id and the response, which is empty for a notification."""
    body = orjson.dumps({"jsonrpc": "2.0", **message})
    async with cluster.client.post(url, data=body, headers=headers) as response:
        response.raise_for_status()
        text = await text_of(response)
    if text.startswith(("event:", "data:")):
        text = "".join(line.removeprefix("data:") for line in text.splitlines() if line.startswith("data:"))
    return response.headers.get("mcp-session-id"), orjson.loads(text) if text.strip() else {}


def _tool(tool: Mapping[str, Any]) -> ConnectorTool:
    schema = tool.get("inputSchema")
    return ConnectorTool(
        name=tool["name"],
        type="McpStreamableHttpTool",
        description=tool.get("description"),
        input_schema=None if schema is None else orjson.dumps(schema).decode(),
    )


def _unreachable(message: str) -> Refused:
    return refused(500, "exception", f"Failed to list the tools of the MCP server: {message}")
