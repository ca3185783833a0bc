"""Agents: a model with tools and a memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import KW_ONLY
from enum import StrEnum
from typing import Any, ClassVar

from aiomlcommons.api import checks
from aiomlcommons.api.agent_runs import ExecuteAgent, ExecuteAgentStream
from aiomlcommons.api.common import Hits, WriteResult
from aiomlcommons.api.context_management import ContextManagementTemplate
from aiomlcommons.api.search import searches
from aiomlcommons.endpoint import Request, endpoint
from aiomlcommons.namespace import Namespace, op
from aiomlcommons.net.secret import Secret
from aiomlcommons.record import Record, as_body, masked, mixin, record
from aiomlcommons.stream import streams


class AgentType(StrEnum):
    """Type of an agent: the way in which it uses its model and tools."""

    FLOW = "flow"
    CONVERSATIONAL = "conversational"
    CONVERSATIONAL_FLOW = "conversational_flow"
    PLAN_EXECUTE_AND_REFLECT = "plan_execute_and_reflect"
    AG_UI = "ag_ui"
    CONVERSATIONAL_V2 = "conversational_v2"


@record
class LLMSpec(Record):
    """The registered LLM of an agent. Responses have the values of ``parameters`` as text."""

    model_id: str
    parameters: Mapping[str, Any] | None = None


@record
class AgentModelSpec(Record):
    """A provider's model for which the server creates a connector, such as ``openai/v1/chat/completions``."""

    model_id: str
    model_provider: str
    credential: Mapping[str, str | Secret] | None = masked(default=None)
    model_parameters: Mapping[str, Any] | None = None


@record
class MemorySpec(Record):
    """The memory of an agent: ``conversation_index`` or ``agentic_memory``."""

    type: str
    session_id: str | None = None
    window_size: int | None = None
    memory_container_id: str | None = None


@record
class ToolSpec(Record):
    """A tool that an agent may use."""

    type: str
    name: str | None = None
    description: str | None = None
    attributes: Mapping[str, Any] | None = None
    parameters: Mapping[str, Any] | None = None
    include_output_in_agent_response: bool | None = None
    config: Mapping[str, Any] | None = None
    tenant_id: str | None = None
    runtime_resources: Mapping[str, Any] | None = None


@record
class Agent(Record):
    """An agent. Times are epoch milliseconds; credentials are never returned."""

    _first: ClassVar = ("name", "type", "description", "tools", "created_time")

    name: str | None = None
    type: AgentType | str | None = None
    description: str | None = None
    llm: LLMSpec | None = None
    model: AgentModelSpec | None = None
    tools: list[ToolSpec] | None = None
    parameters: Mapping[str, Any] | None = None
    memory: MemorySpec | None = None
    created_time: int | None = None
    last_updated_time: int | None = None
    app_type: str | None = None
    is_hidden: bool | None = None
    context_management_name: str | None = None
    context_management: ContextManagementTemplate | None = None
    agent_id: str | None = None
    tenant_id: str | None = None
    provisioned_by: str | None = None


@record
class AgentRegistered(Record):
    """The id of a new agent."""

    agent_id: str


@mixin
class AgentSpec:
    """The fields that registering and updating an agent have in common."""

    description: str | None = None
    tools: Sequence[ToolSpec] | None = None
    parameters: Mapping[str, Any] | None = None
    app_type: str | None = None
    tenant_id: str | None = None


@endpoint(
    "POST /_plugins/_ml/agents/_register",
    since="2.12",
    newer={
        "2.13": ("is_hidden",),
        "2.19": ("tenant_id",),
        "3.5": ("model", "context_management_name", "context_management"),
        "3.7": ("provisioned_by",),
        "3.9": ("agent_id",),
    },
)
class RegisterAgent(AgentSpec, Request[AgentRegistered]):
    """Register an agent: ``flow``, ``conversational``, ``conversational_flow``, ``plan_execute_and_reflect``, ...

    https://docs.opensearch.org/latest/ml-commons-plugin/api/agent-apis/register-agent/
    """

    name: str
    type: AgentType | str
    _: KW_ONLY
    llm: LLMSpec | None = None
    model: AgentModelSpec | None = None
    memory: MemorySpec | None = None
    context_management_name: str | None = None
    context_management: ContextManagementTemplate | None = None
    created_time: int | None = None
    last_updated_time: int | None = None
    is_hidden: bool | None = None
    agent_id: str | None = None
    provisioned_by: str | None = None

    def problems(self) -> Iterator[str]:
        if len(self.name) > 128:
            yield f"name may have 128 characters, not {len(self.name)}"
        yield from checks.at_most_one(self, "llm", "model")
        yield from checks.at_most_one(self, "context_management_name", "context_management")
        yield from checks.own_id(self, "agent_id")


@endpoint("GET /_plugins/_ml/agents/{agent_id}", since="2.12")
class GetAgent(Request[Agent]):
    """Get an agent.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/agent-apis/get-agent/
    """

    agent_id: str


@endpoint("PUT /_plugins/_ml/agents/{agent_id}", since="3.1", needs_body=True)
class UpdateAgent(AgentSpec, Request[WriteResult]):
    """Update an agent; its type cannot be changed.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/agent-apis/update-agent/
    """

    agent_id: str
    _: KW_ONLY
    name: str | None = None
    llm: Mapping[str, Any] | None = None
    memory: Mapping[str, Any] | None = None


@endpoint("DELETE /_plugins/_ml/agents/{agent_id}", since="2.12")
class DeleteAgent(Request[WriteResult]):
    """Delete an agent.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/agent-apis/delete-agent/
    """

    agent_id: str


@endpoint("POST /_plugins/_ml/agents/_search", since="2.12", also=["GET /_plugins/_ml/agents/_search"], repeatable=True)
class SearchAgents(Request[Hits[Agent]]):
    """Search the agents with a query DSL body.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/agent-apis/search-agent/
    """

    body: Mapping[str, Any] = as_body(factory=dict)


class Agents(Namespace):
    """``ml.agents``: models with tools and a memory."""

    register = op(RegisterAgent)
    get = op(GetAgent)
    update = op(UpdateAgent)
    delete = op(DeleteAgent)
    search = searches(SearchAgents)
    execute = op(ExecuteAgent)
    execute_stream = streams(ExecuteAgentStream)
