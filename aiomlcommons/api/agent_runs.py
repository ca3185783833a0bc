"""Execution of agents: their input, their responses, and their streamed events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY
from typing import Any, TypeAlias

from aiomlcommons.api.ag_ui import AG_UI, AgUiEvent, RunError, RunFinished
from aiomlcommons.api.predict import Words
from aiomlcommons.api.tensors import MapTensor, ModelTensors, TextTensor
from aiomlcommons.endpoint import Request, endpoint
from aiomlcommons.errors import StreamFailed
from aiomlcommons.record import Record, in_query, mixin, record
from aiomlcommons.stream import Data, StreamRequest
from aiomlcommons.wire import convert


@record
class Source(Record):
    """The source of an image, video or document: ``type`` is ``base64`` or ``url``."""

    type: str
    format: str | None = None
    data: str | None = None


@record
class ContentBlock(Record):
    """A content block of a message: text, an image, a video or a document."""

    type: str
    text: str | None = None
    source: Source | None = None
    image: Mapping[str, Any] | None = None
    video: Mapping[str, Any] | None = None
    document: Mapping[str, Any] | None = None


@record
class Message(Record):
    """A message of a conversation: ``role`` is ``user``, ``assistant`` or ``tool``."""

    role: str
    content: list[ContentBlock] | None = None
    toolCalls: list[Mapping[str, Any]] | None = None
    toolCallId: str | None = None


@mixin
class AgentInput:
    """The input of an agent: ``parameters``, or since 3.5 ``input`` (text, content blocks or messages)."""

    parameters: Mapping[str, Any] | None = None
    input: str | Sequence[ContentBlock | Message] | None = None


@record
class AgentTask(Record):
    """The task of an agent that runs asynchronously: ``await ml.task(started)``; its ``response`` is the result."""

    task_id: str
    status: str | None = None
    response: Mapping[str, Any] | None = None


@record
class Said(Record):
    """The message of a ``conversational_v2`` agent: content blocks that hold only ``text``."""

    role: str | None = None
    content: list[Mapping[str, Any]] | None = None


@record
class AgentMessage(Record):
    """The response of a ``conversational_v2`` agent."""

    message: Said
    stop_reason: str | None = None
    memory_id: str | None = None
    metrics: Mapping[str, Any] | None = None

    @property
    def text(self) -> str:
        """The text of the answer; empty if it has none."""
        return "".join(str(block["text"]) for block in self.message.content or () if "text" in block)


@record
class AgentTensors(Record):
    """The response of any other agent: outputs named ``memory_id``, ``response`` and the like."""

    inference_results: list[ModelTensors] | None = None

    @property
    def outputs(self) -> dict[str, Any]:
        """The outputs by their names: texts, and mappings as they are. The last one is the answer."""
        found = (tensor for result in self.inference_results or () for tensor in result.output or ())
        return {
            tensor.name or "": tensor.result if isinstance(tensor, TextTensor) else tensor.dataAsMap
            for tensor in found
            if isinstance(tensor, TextTensor | MapTensor)
        }

    @property
    def text(self) -> str:
        """The text of the answer; empty if it has none."""
        last = [*self.outputs.values()][-1:] or [""]
        return str(last[0].get("response", "")) if isinstance(last[0], Mapping) else last[0]


AgentAnswer: TypeAlias = AgentTask | AgentMessage | AgentTensors


@endpoint(
    "POST /_plugins/_ml/agents/{agent_id}/_execute",
    since="2.12",
    needs_body=True,
    newer={"2.19": ("tenant_id",), "3.0": ("isAsync", "async_"), "3.5": ("input",)},
)
class ExecuteAgent(AgentInput, Request[AgentAnswer]):
    """Run an agent: with ``parameters``, or with ``input`` (text, content blocks or messages).

    The response is an AgentTask with ``async_=True``, else an AgentMessage (``conversational_v2``) or AgentTensors.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/agent-apis/execute-agent/
    """

    agent_id: str
    _: KW_ONLY
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
class ExecuteAgentStream(AgentInput, StreamRequest[AgentEvent]):
    """Run an agent and stream its response: Words, or AG-UI events for an AG-UI agent.

    A last event with text but without ids is an error and raises StreamFailed. Agents of the types ``flow`` and
    ``plan_execute_and_reflect`` do not stream: the response ends without an event, which raises StreamCut.

    The input of an AG-UI agent has ``threadId``, ``runId``, ``state``, ``messages``, ``tools``, ``context`` and
    ``forwardedProps``.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/agent-apis/execute-stream-agent/
    """

    agent_id: str
    _: KW_ONLY
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
            return _checked(convert.structure(data, Words))
        event = convert.structure(data, AG_UI.get(str(data["type"]), AgUiEvent))
        if isinstance(event, RunError):
            raise StreamFailed(event.message)
        return event

    def is_last(self, event: AgentEvent) -> bool:
        return event.is_last if isinstance(event, Words) else isinstance(event, RunFinished)


def _checked(words: Words) -> Words:
    """Return an event of an agent, or raise StreamFailed if it is an error.

    The server sends an error as a last event with text but without the ids of a conversation. The last event of a
    regular response has no text, or has these ids.
    """
    ids = [words.tensors.get(name) for name in ("memory_id", "parent_interaction_id")]
    has_no_conversation = all(isinstance(tensor, TextTensor) and not tensor.result for tensor in ids)
    if words.is_last and has_no_conversation and words.content:
        raise StreamFailed(words.content)
    return words
