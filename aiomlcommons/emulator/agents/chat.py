"""Conversational agents: a ReAct loop in which the model and its tools take turns until there is a final answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import attrs

from aiomlcommons.api.agents import Agent, ToolSpec
from aiomlcommons.api.predict import PredictByModel
from aiomlcommons.api.tensors import MapTensor, ModelTensor, TextTensor
from aiomlcommons.emulator.agents import tools
from aiomlcommons.emulator.agents._chat_interfaces import INTERFACES, PROMPT, Decision, OpenAIChat, Prompted
from aiomlcommons.emulator.agents.agent_memory import Conversation, number
from aiomlcommons.emulator.agents.agent_store import tool_name
from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.emulator.errors import Refused, refused
from aiomlcommons.emulator.json_paths import look_up
from aiomlcommons.emulator.models import predict

DEFAULTS = {"prompt": PROMPT, "system_prompt": "You are a helpful assistant."}


class Listener(Protocol):
    """Calls the model on behalf of a run, receives the results of tools, and may offer tools of the client."""

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
    """Run a conversational agent, store its answer in the conversation, and return the output tensors.

    Raises Refused as the model does.
    """
    run = _new_run(cluster, agent, given, conversation)
    if listener is not None:
        run.listen(listener)
    answer = await run.run()
    named: list[ModelTensor] = list(conversation.tensors) if conversation else []
    if conversation is not None:
        conversation.end(answer, run.info)
    if run.parameters.get("verbose") == "true":
        return [*named, *(TextTensor(name="response", result=step) for step in (*run.steps, answer))]
    return [*named, MapTensor(name="response", dataAsMap={"response": answer, "additional_info": run.info})]


def _new_run(cluster: Cluster, agent: Agent, given: Mapping[str, str], conversation: Conversation | None) -> _ChatRun:
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
    return _ChatRun(cluster, model_id, interface, tools_of_agent, known, conversation)


@attrs.define
class _ChatRun:
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
        """Let a listener call the model, and offer its tools."""
        self.listener = listener
        if isinstance(self.interface, OpenAIChat):
            self.parameters |= self.interface.offer(self.parameters, listener.tools)

    async def run(self) -> str:
        """Run the loop and return the final answer. A model reply and a tool result count as one iteration each."""
        limit, thought = number(self.parameters, "max_iteration", 10), ""
        for step in range(0, limit, 2):
            decision = await self._ask()
            if decision.final is not None:
                self._note(self._question, decision.final.strip(), "LLM", is_step=False)
                return decision.final.strip()
            if self._is_client_tool(decision):
                return decision.text
            thought = decision.text
            self._note(self._question, thought, "LLM")
            if step + 1 < limit:
                await self._act(decision)
        ended = f"Agent reached maximum iterations ({limit}) without completing the task"
        return f"{ended}. Last thought: {thought}" if thought else ended

    @property
    def _question(self) -> str:
        return self.parameters.get("question", "")

    async def _ask(self) -> Decision:
        if self.listener is not None:
            return self.interface.read(await self.listener.ask(self.model_id, self.parameters), self.parameters)
        request = PredictByModel(self.model_id, parameters=self.parameters)
        answer = await predict.predict_by_model(self.cluster, request)
        return self.interface.read(look_up(answer.data, tools.TENSOR) or {}, self.parameters)

    def _is_client_tool(self, decision: Decision) -> bool:
        """Return whether the client runs the tool: this run ends then, and the next one brings the result."""
        return self.listener is not None and decision.tool in {tool.get("name") for tool in self.listener.tools}

    async def _act(self, decision: Decision) -> None:
        spec = next((tool for tool in self.tools if tool_name(tool) == decision.tool), None)
        unsupported = f"Failed to run the tool {decision.tool} which is unsupported."
        result = await self._use(spec, decision) if spec else unsupported
        if self.listener is not None:
            self.listener.give(decision.call_id, result)
        self._note(decision.tool_input, result, decision.tool)
        if spec is not None and spec.include_output_in_agent_response:
            self.info.setdefault(f"{decision.tool}.output", []).append(result)
        self.parameters |= self.interface.after(decision, result, self.parameters)

    async def _use(self, spec: ToolSpec, decision: Decision) -> str:
        given = {**self.parameters, "input": decision.tool_input}
        if spec.type == "MLModelTool":
            given |= {"question": decision.tool_input, **(spec.parameters or {})}
        try:
            return await tools.use(self.cluster, spec, given)
        except Refused as error:
            if error.status == 501:
                raise
            return f"Failed to run the tool {decision.tool} with the error message {error.body['error']['reason']}."

    def _note(self, input: str, output: str, origin: str, *, is_step: bool = True) -> None:
        if is_step:
            self.steps.append(output)
        if self.conversation is not None and self.parameters.get("disable_trace") != "true":
            self.conversation.trace(input, output, origin)
