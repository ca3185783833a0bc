"""Agents: a model with tools and a memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import KW_ONLY
from enum import StrEnum
from typing import Any, TypeAlias

from aiomlcommons import convert, rules
from aiomlcommons.api.ag_ui import AG_UI, AgUiEvent, RunError, RunFinished
from aiomlcommons.api.common import Hits, WriteResult
from aiomlcommons.api.context_management import ContextManagementTemplate
from aiomlcommons.api.predict import ModelTensors, Words
from aiomlcommons.api.search import searches
from aiomlcommons.endpoint import Record, Request, as_body, endpoint, in_query, masked, record
from aiomlcommons.errors import StreamFailed
from aiomlcommons.namespace import Namespace, op
from aiomlcommons.secret import Secret
from aiomlcommons.stream import Data, StreamRequest, streams


class AgentType(StrEnum):
    """How an agent works."""

    FLOW = "flow"
    CONVERSATIONAL = "conversational"
    CONVERSATIONAL_FLOW = "conversational_flow"
    PLAN_EXECUTE_AND_REFLECT = "plan_execute_and_reflect"
    AG_UI = "ag_ui"
    CONVERSATIONAL_V2 = "conversational_v2"


@record
class LLMSpec(Record):
    """The registered model that an agent thinks with. Values of ``parameters`` come back as text."""

    model_id: str
    parameters: Mapping[str, Any] | None = None


@record
class AgentModelSpec(Record):
    """A provider's model that the server makes a connector for, such as ``openai/v1/chat/completions``."""

    model_id: str
    model_provider: str
    credential: Mapping[str, str | Secret] | None = masked(default=None)
    model_parameters: Mapping[str, Any] | None = None


@record
class MemorySpec(Record):
    """Where an agent remembers: ``conversation_index`` or ``agentic_memory``."""

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
    """An agent. Times are epoch milliseconds; credentials are never given back."""

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


@record
class Source(Record):
    """Where an image, video or document is: ``type`` is ``base64`` or ``url``."""

    type: str
    format: str | None = None
    data: str | None = None


@record
class ContentBlock(Record):
    """A piece of a message: text, or an image, video or document."""

    type: str
    text: str | None = None
    source: Source | None = None
    image: Mapping[str, Any] | None = None
    video: Mapping[str, Any] | None = None
    document: Mapping[str, Any] | None = None


@record
class Message(Record):
    """What somebody said: ``role`` is ``user``, ``assistant`` or ``tool``."""

    role: str
    content: list[ContentBlock] | None = None
    toolCalls: list[Mapping[str, Any]] | None = None
    toolCallId: str | None = None


@record
class AgentTask(Record):
    """The task of an agent that works on: ``await ml.task(answer)``, and its ``response`` is the result."""

    task_id: str
    status: str | None = None
    response: Mapping[str, Any] | None = None


@record
class Said(Record):
    """The words of an agent of the second version: blocks that hold only ``text``."""

    role: str | None = None
    content: list[Mapping[str, Any]] | None = None


@record
class AgentMessage(Record):
    """The answer of a ``conversational_v2`` agent."""

    message: Said
    stop_reason: str | None = None
    memory_id: str | None = None
    metrics: Mapping[str, Any] | None = None


@record
class AgentTensors(Record):
    """The answer of an agent of the first version: outputs named ``memory_id``, ``response`` and the like."""

    inference_results: list[ModelTensors] | None = None


AgentAnswer: TypeAlias = AgentTask | AgentMessage | AgentTensors


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
class RegisterAgent(Request[AgentRegistered]):
    """Register an agent: ``flow``, ``conversational``, ``conversational_flow``, ``plan_execute_and_reflect``, ...

    https://docs.opensearch.org/latest/ml-commons-plugin/api/agent-apis/register-agent/
    """

    name: str
    type: AgentType | str
    _: KW_ONLY
    description: str | None = None
    llm: LLMSpec | None = None
    model: AgentModelSpec | None = None
    tools: Sequence[ToolSpec] | None = None
    parameters: Mapping[str, Any] | None = None
    memory: MemorySpec | None = None
    app_type: str | None = None
    context_management_name: str | None = None
    context_management: ContextManagementTemplate | None = None
    created_time: int | None = None
    last_updated_time: int | None = None
    is_hidden: bool | None = None
    agent_id: str | None = None
    tenant_id: str | None = None
    provisioned_by: str | None = None

    def problems(self) -> Iterator[str]:
        if len(self.name) > 128:
            yield f"name may have 128 characters, not {len(self.name)}"
        yield from rules.at_most_one(self, "llm", "model")
        yield from rules.at_most_one(self, "context_management_name", "context_management")
        yield from rules.own_id(self, "agent_id")


@endpoint("GET /_plugins/_ml/agents/{agent_id}", since="2.12")
class GetAgent(Request[Agent]):
    """Look an agent up.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/agent-apis/get-agent/
    """

    agent_id: str


@endpoint("PUT /_plugins/_ml/agents/{agent_id}", since="3.1", needs_body=True)
class UpdateAgent(Request[WriteResult]):
    """Change an agent; its type stays.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/agent-apis/update-agent/
    """

    agent_id: str
    _: KW_ONLY
    name: str | None = None
    description: str | None = None
    llm: Mapping[str, Any] | None = None
    tools: Sequence[ToolSpec] | None = None
    parameters: Mapping[str, Any] | None = None
    memory: Mapping[str, Any] | None = None
    app_type: str | None = None
    tenant_id: str | None = None


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


@endpoint(
    "POST /_plugins/_ml/agents/{agent_id}/_execute",
    since="2.12",
    needs_body=True,
    newer={"2.19": ("tenant_id",), "3.0": ("isAsync", "async_"), "3.5": ("input",)},
)
class ExecuteAgent(Request[AgentAnswer]):
    """Run an agent: with ``parameters``, or with ``input`` (text, content blocks or messages).

    The answer is AgentTensors, an AgentTask with ``async_=True``, or an AgentMessage, by the agent's version.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/agent-apis/execute-agent/
    """

    agent_id: str
    _: KW_ONLY
    parameters: Mapping[str, Any] | None = None
    input: str | Sequence[ContentBlock | Message] | None = None
    isAsync: bool | None = None
    tenant_id: str | None = None
    async_: bool | None = in_query(wire="async", default=None)


AgentEvent: TypeAlias = Words | AgUiEvent


@endpoint(
    "POST /_plugins/_ml/agents/{agent_id}/_execute/stream",
    since="3.3",
    needs_body=True,
    newer={"3.5": ("input",)},
)
class ExecuteAgentStream(StreamRequest[AgentEvent]):
    """Run an agent and take its answer as it is written: Words, or AG-UI events for an AG-UI agent.

    An AG-UI agent is given ``threadId``, ``runId``, ``state``, ``messages``, ``tools``, ``context`` and
    ``forwardedProps``.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/agent-apis/execute-stream-agent/
    """

    agent_id: str
    _: KW_ONLY
    parameters: Mapping[str, Any] | None = None
    input: str | Sequence[ContentBlock | Message] | None = None
    threadId: str | None = None
    runId: str | None = None
    state: Any = None
    messages: Sequence[Mapping[str, Any]] | None = None
    tools: Sequence[Mapping[str, Any]] | None = None
    context: Sequence[Mapping[str, Any]] | None = None
    forwardedProps: Any = None
    tenant_id: str | None = None
    async_: bool | None = in_query(wire="async", default=None)

    def event(self, data: Data) -> AgentEvent:
        if "type" not in data:
            return convert.structure(data, Words)
        event = convert.structure(data, AG_UI.get(str(data["type"]), AgUiEvent))
        if isinstance(event, RunError):
            raise StreamFailed(event.message)
        return event

    def is_last(self, event: AgentEvent) -> bool:
        return event.is_last if isinstance(event, Words) else isinstance(event, RunFinished)


class Agents(Namespace):
    """``ml.agents``: models with tools and a memory."""

    register = op(RegisterAgent)
    get = op(GetAgent)
    update = op(UpdateAgent)
    delete = op(DeleteAgent)
    search = searches(SearchAgents)
    execute = op(ExecuteAgent)
    execute_stream = streams(ExecuteAgentStream)
