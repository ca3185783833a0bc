"""Handlers that register, get, update, delete and search agents."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from aiomlcommons.api.agents import (
    Agent,
    AgentRegistered,
    AgentType,
    DeleteAgent,
    GetAgent,
    LLMSpec,
    MemorySpec,
    RegisterAgent,
    SearchAgents,
    ToolSpec,
    UpdateAgent,
)
from aiomlcommons.api.common import Hits, WriteResult
from aiomlcommons.emulator.cluster import Cluster, alter
from aiomlcommons.emulator.connectors.connector_store import as_text
from aiomlcommons.emulator.errors import NO_AGENTS, NO_UNIFIED_AGENTS, Refused, illegal, missing, refused
from aiomlcommons.emulator.querying import records
from aiomlcommons.emulator.registry import Bare, handles

LONGEST_NAME = 128
SINCE = {AgentType.AG_UI.name: "3.5", AgentType.CONVERSATIONAL_V2.name: "3.6"}
TRUNCATED = (
    b'{"error":{"root_cause":[{"type":"null_pointer_exception","reason":"Cannot invoke \\"String.length()\\" because '
    b'\\"content\\" is null"}],"type":"null_pointer_exception","reason":"Cannot invoke \\"String.length()\\" becau'
)
NEED_MODEL = {AgentType.CONVERSATIONAL, AgentType.PLAN_EXECUTE_AND_REFLECT}


@handles(RegisterAgent)
async def register(cluster: Cluster, request: RegisterAgent) -> AgentRegistered:
    """Register an agent. Refuse unknown types, duplicate tool names, and models that would need a new connector."""
    check_enabled(cluster)
    if request.model is not None:
        check_unified(cluster)
        raise refused(501, "not_emulated", "the emulator makes no connectors to the models of providers")
    _check(cluster, request)
    agent_id, now = cluster.new_id(), cluster.now()
    agent = Agent(
        name=request.name,
        type=request.type,
        description=request.description,
        llm=_llm(request.llm),
        tools=_tools(request.tools),
        parameters=as_text(request.parameters),
        memory=request.memory,
        created_time=now,
        last_updated_time=now,
        app_type=request.app_type,
        is_hidden=False,
        context_management_name=request.context_management_name,
        context_management=request.context_management,
    )
    cluster.agents.put(agent_id, agent)
    return AgentRegistered(agent_id=agent_id)


@handles(GetAgent)
async def get(cluster: Cluster, request: GetAgent) -> Agent:
    """Return an agent; 404 where there is none."""
    check_enabled(cluster)
    return find(cluster, request.agent_id)


@handles(UpdateAgent)
async def update(cluster: Cluster, request: UpdateAgent) -> WriteResult | Bare:
    """Change the fields that are given."""
    check_enabled(cluster)
    agent = cluster.agents.get(request.agent_id)
    if agent is None:
        return _nothing_to_update(cluster, request.agent_id)
    _check_tools(cluster, request.tools or ())
    fields = {
        "name": request.name,
        "description": request.description,
        "llm": None if request.llm is None else _changed_llm(agent.llm, request.llm),
        "tools": _tools(request.tools),
        "parameters": as_text(request.parameters),
        "memory": None if request.memory is None else _changed_memory(agent.memory, request.memory),
        "app_type": request.app_type,
    }
    given = {name: value for name, value in fields.items() if value is not None}
    cluster.agents.change(request.agent_id, last_updated_time=cluster.now(), **given)
    return cluster.agents.updated(request.agent_id)


@handles(DeleteAgent)
async def delete(cluster: Cluster, request: DeleteAgent) -> WriteResult:
    """Delete an agent; 404 where there is none, with another message than ``get`` has."""
    check_enabled(cluster)
    if cluster.agents.get(request.agent_id) is None:
        raise missing("Fail to find ml agent")
    return cluster.agents.delete(request.agent_id)


@handles(SearchAgents)
async def find_all(cluster: Cluster, request: SearchAgents) -> Hits[Agent]:
    """Search agents."""
    check_enabled(cluster)
    return records.search(cluster.agents, request.body, cluster.node_id)


def find(cluster: Cluster, agent_id: str) -> Agent:
    """Return an agent; raise Refused where there is none."""
    agent = cluster.agents.get(agent_id)
    if agent is None:
        raise missing(f"Failed to find agent with the provided agent id: {agent_id}")
    return agent


def tool_name(tool: ToolSpec) -> str:
    """Return the name of a tool within an agent."""
    return tool.name or tool.type


def check_enabled(cluster: Cluster) -> None:
    """Raise Refused where the agent framework is disabled."""
    if not cluster.settings.flag("agent_framework_enabled"):
        raise refused(500, "illegal_state_exception", NO_AGENTS)


def check_unified(cluster: Cluster) -> None:
    """Raise Refused where the unified agent API is disabled."""
    if not cluster.settings.flag("unified_agent_api_enabled"):
        raise illegal(NO_UNIFIED_AGENTS)


def _nothing_to_update(cluster: Cluster, agent_id: str) -> Bare:
    """Return 404. Servers up to 3.8 often truncate the body: they fail while they write it."""
    if not cluster.is_before("3.9"):
        raise missing(f"Failed to get agent with ID {agent_id}")
    return Bare(404, TRUNCATED, "application/json; charset=UTF-8")


def _check(cluster: Cluster, request: RegisterAgent) -> None:
    if not request.name.strip() or len(request.name) > LONGEST_NAME:
        raise illegal(f"Agent name cannot be empty or exceed max length of {LONGEST_NAME} characters")
    kind = request.type.upper()
    if kind not in AgentType.__members__ or cluster.is_before(SINCE.get(kind, "2.12")):
        raise _no_type(cluster, request.type)
    if request.type.lower() in NEED_MODEL and request.llm is None:
        raise illegal("We need model information for the conversational agent type")
    if request.context_management_name and request.context_management:
        raise illegal("Cannot specify both context_management_name and context_management")
    _check_tools(cluster, request.tools or ())


def _no_type(cluster: Cluster, kind: str) -> Refused:
    return illegal(f"{kind} is not a valid Agent Type" if cluster.is_before("3.5") else "Invalid Agent Type")


def _check_tools(cluster: Cluster, tools: Iterable[ToolSpec]) -> None:
    seen: set[str] = set()
    for name in map(tool_name, tools):
        if name in seen:
            where = f": {name}" if cluster.is_before("3.5") else " in agent configuration"
            raise illegal(f"Duplicate tool defined{where}")
        seen.add(name)


def _llm(llm: LLMSpec | None) -> LLMSpec | None:
    return None if llm is None else alter(llm, parameters=as_text(llm.parameters))


def _changed_llm(old: LLMSpec | None, new: Mapping[str, Any]) -> LLMSpec:
    model_id = new.get("model_id") or (old.model_id if old else "")
    parameters = as_text(new.get("parameters")) or (old.parameters if old else None)
    return LLMSpec(model_id=model_id, parameters=parameters)


def _changed_memory(old: MemorySpec | None, new: Mapping[str, Any]) -> MemorySpec:
    known = {key: new[key] for key in ("type", "session_id", "window_size", "memory_container_id") if key in new}
    if old is None and "type" not in known:
        raise illegal("Memory type is null")
    return alter(old, **known) if old else MemorySpec(**known)


def _tools(tools: Iterable[ToolSpec] | None) -> list[ToolSpec] | None:
    return None if tools is None else [_tool(tool) for tool in tools]


def _tool(tool: ToolSpec) -> ToolSpec:
    return alter(
        tool,
        attributes=as_text(tool.attributes),
        parameters=as_text(tool.parameters),
        config=as_text(tool.config),
        include_output_in_agent_response=bool(tool.include_output_in_agent_response),
    )
