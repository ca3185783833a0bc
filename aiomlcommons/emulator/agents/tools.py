"""Tools: all that a server lists, of which the emulator runs those that need no data or model of a real cluster."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import orjson

from aiomlcommons.api.agents import ToolSpec
from aiomlcommons.api.predict import PredictByModel, Prediction
from aiomlcommons.api.tensors import ModelTensors, TextTensor
from aiomlcommons.api.tools import ExecuteTool, GetTool, ListTools, Tool
from aiomlcommons.emulator.agents._index_table import list_indices
from aiomlcommons.emulator.agents._tool_catalogue import TOOLS
from aiomlcommons.emulator.agents.agent_store import tool_name
from aiomlcommons.emulator.cluster import Cluster, alter
from aiomlcommons.emulator.connectors.connector_store import as_text
from aiomlcommons.emulator.connectors.templates import fill, is_json
from aiomlcommons.emulator.errors import NO_TOOLS, execution, illegal, missing, refused
from aiomlcommons.emulator.json_paths import look_up
from aiomlcommons.emulator.models import predict
from aiomlcommons.emulator.registry import handles

TENSOR = "$.inference_results[0].output[0].dataAsMap"
BY_NAME: Mapping[str, Tool] = {tool.name or "": tool for tool in TOOLS}


@handles(ListTools)
async def list_tools(_: Cluster, __: ListTools) -> list[Tool]:
    """Return the tools of a server without further plugins."""
    return TOOLS


@handles(GetTool)
async def get(_: Cluster, request: GetTool) -> Tool:
    """Return a tool without its attributes, which only the list has."""
    if request.tool_name not in BY_NAME:
        raise missing(f"Failed to find tool information with the provided tool name: {request.tool_name}")
    return alter(BY_NAME[request.tool_name], attributes=None)


@handles(ExecuteTool)
async def execute(cluster: Cluster, request: ExecuteTool) -> Prediction:
    """Run a tool and wait for its result, as the server does."""
    if not cluster.settings.flag("execute_tools_enabled"):
        raise refused(500, "illegal_state_exception", NO_TOOLS)
    with execution():
        result = await run(cluster, request.tool_name, as_text(request.parameters) or {})
    return Prediction(inference_results=[ModelTensors(output=[TextTensor(name="response", result=result)])])


async def run(cluster: Cluster, kind: str, parameters: Mapping[str, str]) -> str:
    """Run a tool of a type and return its result.

    Raises Refused where there is no such tool, where the emulator cannot run it, and where it fails.
    """
    known(kind)
    if kind not in _RUNNERS:
        raise refused(501, "not_emulated", f"the emulator cannot run {kind}, only {', '.join(_RUNNERS)}")
    return await _RUNNERS[kind](cluster, _with_input(parameters))


async def use(cluster: Cluster, tool: ToolSpec, given: Mapping[str, str]) -> str:
    """Run the tool of an agent and return its result after ``output_filter``; raise Refused as ``run`` does."""
    parameters = _of_tool(tool, given)
    result = await run(cluster, tool.type, parameters)
    path = parameters.get("output_filter")
    if path is None or not is_json(result):
        return result
    found = look_up(orjson.loads(result), path)
    return result if found is None else to_json(found)


def _of_tool(tool: ToolSpec, given: Mapping[str, str]) -> dict[str, str]:
    """Merge parameters, later ones winning: registered, given, given with the tool's name as prefix, ``config``."""
    prefix = f"{tool_name(tool)}."
    own = {key.removeprefix(prefix): value for key, value in given.items() if key.startswith(prefix)}
    return {**(tool.parameters or {}), **given, **own, **(tool.config or {})}


def to_json(value: Any) -> str:
    """Return a string as it is, and anything else as JSON in which integral floats have no fraction."""
    return value if isinstance(value, str) else orjson.dumps(_without_fractions(value)).decode()


def _without_fractions(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_fractions(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_without_fractions(part) for part in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def known(kind: str) -> Tool:
    """Return a tool of the catalogue; raise Refused where there is none."""
    if kind not in BY_NAME:
        raise illegal(f"Tool not found: {kind}")
    return BY_NAME[kind]


def schema_of(kind: str, attributes: Mapping[str, Any] | None) -> Any:
    """Return the input schema of a tool: of its attributes, else of its type; empty where it is not JSON."""
    found = (attributes or {}).get("input_schema") or (known(kind).attributes or {}).get("input_schema", {})
    if not isinstance(found, str):
        return found
    return orjson.loads(found) if is_json(found) else {}


def _with_input(parameters: Mapping[str, str]) -> dict[str, str]:
    """Return the parameters, merged with those in ``input`` if that is a JSON object."""
    if "input" not in parameters:
        return dict(parameters)
    text = fill(parameters["input"], {"parameters": parameters})
    try:
        found = orjson.loads(text)
    except ValueError:
        found = None
    inside = as_text(found) if isinstance(found, Mapping) else None
    return {**parameters, "input": text, **(inside or {})}


async def _call_model(cluster: Cluster, parameters: Mapping[str, str]) -> str:
    model_id = parameters.get("model_id", "")
    if not model_id.strip():
        raise illegal("Model ID can't be null or empty")
    answer = await predict.predict_by_model(cluster, PredictByModel(model_id, parameters=parameters))
    found = look_up(answer.data, TENSOR)
    if not isinstance(found, Mapping):
        raise refused(500, "illegal_state_exception", "LLM returns wrong or empty tensors")
    return to_json(found.get(parameters.get("response_field", "response"), found))


_RUNNERS: Mapping[str, Callable[[Cluster, Mapping[str, str]], Awaitable[str]]] = {
    "ListIndexTool": list_indices,
    "MLModelTool": _call_model,
}
