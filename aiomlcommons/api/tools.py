"""Tools of agents, which can also be run without an agent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY
from typing import Any

from aiomlcommons.api.predict import Prediction
from aiomlcommons.endpoint import Request, endpoint
from aiomlcommons.namespace import Namespace, op
from aiomlcommons.record import Record, in_query, record


@record
class Tool(Record):
    """A tool that the cluster has."""

    name: str | None = None
    description: str | None = None
    type: str | None = None
    version: str | None = None
    attributes: Mapping[str, Any] | None = None


@endpoint("GET /_plugins/_ml/tools", since="2.12")
class ListTools(Request[list[Tool]]):
    """List the tools that the cluster has.

    https://docs.opensearch.org/latest/ml-commons-plugin/agents-tools/tools/index/
    """


@endpoint("GET /_plugins/_ml/tools/{tool_name}", since="2.12")
class GetTool(Request[Tool]):
    """Get a tool.

    https://docs.opensearch.org/latest/ml-commons-plugin/agents-tools/tools/index/
    """

    tool_name: str


@endpoint("POST /_plugins/_ml/tools/_execute/{tool_name}", since="3.2", needs_body=True)
class ExecuteTool(Request[Prediction]):
    """Run a tool without an agent.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/execute-tool/
    """

    tool_name: str
    _: KW_ONLY
    parameters: Mapping[str, Any] | None = None
    async_: bool | None = in_query(wire="async", default=None)


class Tools(Namespace):
    """``ml.tools``: the tools of agents."""

    list = op(ListTools)
    get = op(GetTool)
    execute = op(ExecuteTool)
