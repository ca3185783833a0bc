"""MCP (Model Context Protocol): the cluster's own MCP server, and the tools of MCP connectors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY
from typing import Any

from aiomlcommons.api.common import Listed
from aiomlcommons.endpoint import Request, endpoint
from aiomlcommons.namespace import Namespace, op
from aiomlcommons.record import Null, Record, as_body, record


@record
class McpTool(Record):
    """A tool of the cluster's MCP server. Times are epoch milliseconds; ``type`` is required to register one."""

    type: str | None = None
    name: str | None = None
    description: str | Null | None = None
    parameters: Mapping[str, Any] | None = None
    attributes: Mapping[str, Any] | None = None
    create_time: int | None = None
    last_update_time: int | None = None


@record
class McpTools(Record, Listed[McpTool]):
    """The tools of the cluster's MCP server."""

    tools: list[McpTool]

    @property
    def _items(self) -> Sequence[McpTool]:
        return self.tools


@record
class McpNode(Record):
    """The result of a change on a node, or its error."""

    created: bool | None = None
    updated: bool | None = None
    removed: bool | None = None
    error: str | None = None
    not_found_exception: str | None = None


@record
class ConnectorTool(Record):
    """A tool that an MCP connector offers; ``input_schema`` is JSON in a string."""

    name: str
    type: str
    description: str | None = None
    input_schema: str | None = None


@record
class ConnectorTools(Record, Listed[ConnectorTool]):
    """The tools that an MCP connector offers."""

    tools: list[ConnectorTool]

    @property
    def _items(self) -> Sequence[ConnectorTool]:
        return self.tools


@record
class JsonRpc(Record):
    """A JSON-RPC 2.0 response: ``result``, or ``error`` with code and message, which comes with HTTP status 200."""

    jsonrpc: str
    id: str | int | Null | None = None
    result: Mapping[str, Any] | None = None
    error: Mapping[str, Any] | None = None


@endpoint("POST /_plugins/_ml/mcp/tools/_register", since="3.0")
class RegisterMcpTools(Request[dict[str, McpNode]]):
    """Add tools to the cluster's MCP server; the response has the result of each node.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/mcp-server-apis/register-mcp-tools/
    """

    tools: Sequence[McpTool]


@endpoint("POST /_plugins/_ml/mcp/tools/_update", since="3.1")
class UpdateMcpTools(Request[dict[str, McpNode]]):
    """Update tools of the cluster's MCP server, by name; the response has the result of each node.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/mcp-server-apis/update-mcp-tools/
    """

    tools: Sequence[McpTool]


@endpoint("POST /_plugins/_ml/mcp/tools/_remove", since="3.0")
class RemoveMcpTools(Request[dict[str, McpNode]]):
    """Remove tools from the cluster's MCP server, by name; the response has the result of each node.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/mcp-server-apis/remove-mcp-tools/
    """

    names: Sequence[str] = as_body()


@endpoint("GET /_plugins/_ml/mcp/tools/_list", since="3.1", repeatable=True)
class ListMcpTools(Request[McpTools]):
    """List the tools of the cluster's MCP server.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/mcp-server-apis/list-mcp-tools/
    """


@endpoint("POST /_plugins/_ml/mcp", since="3.3", accept="application/json, text/event-stream")
class CallMcp(Request[JsonRpc | None]):
    """Send a JSON-RPC 2.0 message to the cluster's MCP server. Returns None for a notification, which has no response.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/mcp-server-apis/mcp-server/
    """

    method: str
    params: Mapping[str, Any] | None = None
    _: KW_ONLY
    id: str | int | None = None
    jsonrpc: str = "2.0"


@endpoint("GET /_plugins/_ml/mcp", since="3.3")
class OpenMcpStream(Request[None]):
    """Request a stream of the MCP server, which is not supported: every release responds with 405.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/mcp-server-apis/mcp-server/
    """


@endpoint("GET /_plugins/_ml/connectors/{connector_id}/tools", since="3.8")
class ListConnectorTools(Request[ConnectorTools]):
    """List the tools that an MCP connector offers.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/mcp-client-apis/list-connector-mcp-tools/
    """

    connector_id: str


class Mcp(Namespace):
    """``ml.mcp``: the cluster's own MCP server, and the tools of MCP connectors."""

    register_tools = op(RegisterMcpTools)
    update_tools = op(UpdateMcpTools)
    remove_tools = op(RemoveMcpTools)
    list_tools = op(ListMcpTools)
    call = op(CallMcp)
    open_stream = op(OpenMcpStream)
    list_connector_tools = op(ListConnectorTools)
