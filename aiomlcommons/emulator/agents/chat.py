"""Conversational agents: a model and its tools take turns until the model has an answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import attrs

from aiomlcommons.api.agents import Agent, ToolSpec
from aiomlcommons.api.predict import PredictByModel
from aiomlcommons.api.tensors import MapTensor, ModelTensor, TextTensor
from aiomlcommons.emulator.agents import tools
from aiomlcommons.emulator.agents._chat_interfaces import INTERFACES, PROMPT, Move, OpenAIChat, Prompted
from aiomlcommons.emulator.agents._json_paths import look_up
from aiomlcommons.emulator.agents.agent_memory import Conversation, number
from aiomlcommons.emulator.agents.agent_store import tool_name
from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.emulator.errors import Refused, refused
from aiomlcommons.emulator.models import predict

DEFAULTS = {"prompt": PROMPT, "system_prompt": "You are a helpful assistant."}


class Listener(Protocol):
    """Who asks the model in the agent's place, is told what tools give, and may have tools of its own."""

    @property
    def tools(self) -> Sequence[Mapping[str, Any]]: ...

    async def ask(self, model_id: str, parameters: Mapping[str, str]) -> Mapping[str, Any]: ...

    def give(self, call_id: str, result: str) -> None: ...


async def chat(
    cluster: Cluster,
    agent: Agent,
    given: Mapping[str, str],
    conversation: Conversation | None,
    listener: Listener | None = None,
) -> list[ModelTensor]:
    """The answer of a conversational agent, which its conversation keeps.

    Raises Refused as the model does.
    """
    talk = _talk(cluster, agent, given, conversation)
    if listener is not None:
        talk.listen(listener)
    answer = await talk.run()
    named: list[ModelTensor] = list(conversation.tensors) if conversation else []
    if conversation is not None:
        conversation.end(answer, talk.info)
    if talk.parameters.get("verbose") == "true":
        return [*named, *(TextTensor(name="response", result=step) for step in (*talk.steps, answer))]
    return [*named, MapTensor(name="response", dataAsMap={"response": answer, "additional_info": talk.info})]


def _talk(cluster: Cluster, agent: Agent, given: Mapping[str, str], conversation: Conversation | None) -> _Talk:
    parameters = {**(agent.parameters or {}), **given}
    name = parameters.get("_llm_interface")
    if name not in INTERFACES:
        others = ", ".join(filter(None, INTERFACES))
        raise refused(501, "not_emulated", f"the emulator's agents do not speak {name}, only {others}")
    if "mcp_connectors" in (agent.parameters or {}):
        raise refused(501, "not_emulated", "the emulator's agents have no tools of other MCP servers")
    interface, tools_of_agent = INTERFACES[name], agent.tools or []
    past = conversation.past(parameters) if conversation else []
    model_id, own = (agent.llm.model_id, agent.llm.parameters or {}) if agent.llm else ("", {})
    known = {**DEFAULTS, **own, **interface.begin(tools_of_agent, past), **parameters}
    return _Talk(cluster, model_id, interface, tools_of_agent, known, conversation)


@attrs.define
class _Talk:
    cluster: Cluster
    model_id: str
    interface: Prompted | OpenAIChat
    tools: list[ToolSpec]
    parameters: dict[str, str]
    conversation: Conversation | None
    steps: list[str] = attrs.field(factory=list)
    info: dict[str, Any] = attrs.field(factory=dict)
    listener: Listener | None = None

    def listen(self, listener: Listener) -> None:
        """Have somebody else ask the model, with tools of theirs."""
        self.listener = listener
        if isinstance(self.interface, OpenAIChat):
            self.parameters |= self.interface.offer(self.parameters, listener.tools)

    async def run(self) -> str:
        """The final answer. What the model says and what a tool gives is a step each, and these are counted."""
        limit, said = number(self.parameters, "max_iteration", 10), ""
        for step in range(0, limit, 2):
            move = await self._ask()
            if move.final is not None:
                self._note(self._question, move.final.strip(), "LLM", is_step=False)
                return move.final.strip()
            if self._is_handed_over(move):
                return move.said
            said = move.said
            self._note(self._question, said, "LLM")
            if step + 1 < limit:
                await self._act(move)
        ended = f"Agent reached maximum iterations ({limit}) without completing the task"
        return f"{ended}. Last thought: {said}" if said else ended

    @property
    def _question(self) -> str:
        return self.parameters.get("question", "")

    async def _ask(self) -> Move:
        if self.listener is not None:
            return self.interface.read(await self.listener.ask(self.model_id, self.parameters), self.parameters)
        request = PredictByModel(self.model_id, parameters=self.parameters)
        answer = await predict.predict_by_model(self.cluster, request)
        return self.interface.read(look_up(answer.data, tools.TENSOR) or {}, self.parameters)

    def _is_handed_over(self, move: Move) -> bool:
        """Whether whoever asks is to run the tool: the run is over then, and another one brings the result."""
        return self.listener is not None and move.tool in {tool.get("name") for tool in self.listener.tools}

    async def _act(self, move: Move) -> None:
        spec = next((tool for tool in self.tools if tool_name(tool) == move.tool), None)
        result = await self._use(spec, move) if spec else f"Failed to run the tool {move.tool} which is unsupported."
        if self.listener is not None:
            self.listener.give(move.call_id, result)
        self._note(move.tool_input, result, move.tool)
        if spec is not None and spec.include_output_in_agent_response:
            self.info.setdefault(f"{move.tool}.output", []).append(result)
        self.parameters |= self.interface.after(move, result, self.parameters)

    async def _use(self, spec: ToolSpec, move: Move) -> str:
        asked = {**self.parameters, "input": move.tool_input}
        if spec.type == "MLModelTool":
            asked |= {"question": move.tool_input, **(spec.parameters or {})}
        try:
            return await tools.use(self.cluster, spec, asked)
        except Refused as error:
            if error.status == 501:
                raise
            return f"Failed to run the tool {move.tool} with the error message {error.body['error']['reason']}."

    def _note(self, asked: str, answered: str, origin: str, *, is_step: bool = True) -> None:
        if is_step:
            self.steps.append(answered)
        if self.conversation is not None and self.parameters.get("disable_trace") != "true":
            self.conversation.trace(asked, answered, origin)
