"""The handler that executes an agent, at once or as a task; flow agents run their tools in order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiomlcommons.api.agent_runs import AgentTask, AgentTensors, ExecuteAgent
from aiomlcommons.api.agents import Agent, AgentType
from aiomlcommons.api.common import FunctionName
from aiomlcommons.api.tasks import TaskType
from aiomlcommons.api.tensors import ModelTensor, ModelTensors, TextTensor
from aiomlcommons.emulator import jobs
from aiomlcommons.emulator.agents import agent_memory, agent_store, tools
from aiomlcommons.emulator.agents.agent_memory import Conversation
from aiomlcommons.emulator.agents.chat import chat
from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.emulator.connectors.connector_store import as_text
from aiomlcommons.emulator.errors import Refused, execution, illegal, refused
from aiomlcommons.emulator.jobs import JobFailed
from aiomlcommons.emulator.registry import handles
from aiomlcommons.wire import convert


@handles(ExecuteAgent)
async def execute(cluster: Cluster, request: ExecuteAgent) -> AgentTensors | AgentTask:
    """Run an agent and return its output, or with ``async`` the task that will hold it."""
    agent_store.check_enabled(cluster)
    with execution():
        given = _parameters(cluster, request)
        agent = agent_store.find(cluster, request.agent_id)
        parameters = agent_memory.with_question(cluster, agent, given)
        conversation = agent_memory.begin(cluster, agent, parameters)
        if request.isAsync if request.async_ is None else request.async_:
            return _start(cluster, request, agent, parameters, conversation)
        return await _run(cluster, agent, parameters, conversation)


def _parameters(cluster: Cluster, request: ExecuteAgent) -> dict[str, str]:
    if request.input is not None:
        agent_store.check_unified(cluster)
        raise refused(501, "not_emulated", "the emulator's agents take parameters, and no input")
    if request.parameters is None:
        raise illegal("wrong input")
    return as_text(request.parameters) or {}


def _start(
    cluster: Cluster,
    request: ExecuteAgent,
    agent: Agent,
    parameters: Mapping[str, str],
    conversation: Conversation | None,
) -> AgentTask:
    named = conversation.names if conversation else {}

    async def work() -> None:
        try:
            answer = await _run(cluster, agent, parameters, conversation)
        except Refused as error:
            # For agents the error is in the response of the task, not in its ``error``.
            keep({"error_message": error.body["error"]["reason"]})
            raise JobFailed from error
        keep(convert.unstructure(answer))

    def keep(response: Mapping[str, Any]) -> None:
        if cluster.tasks.get(task_id) is not None:
            cluster.tasks.change(task_id, response={**named, **response})

    task_id = jobs.start(cluster, request, TaskType.AGENT_EXECUTION, FunctionName.AGENT, work, response=named)
    return AgentTask(task_id=task_id, status="RUNNING", response=named or None)


async def _run(
    cluster: Cluster, agent: Agent, parameters: Mapping[str, str], conversation: Conversation | None
) -> AgentTensors:
    kind = (agent.type or "").lower()
    if kind == AgentType.CONVERSATIONAL:
        output = await chat(cluster, agent, parameters, conversation)
    elif kind == AgentType.CONVERSATIONAL_FLOW and conversation and agent.app_type:
        output = await _conversational_flow(cluster, agent, parameters, conversation)
    elif kind in {AgentType.FLOW, AgentType.CONVERSATIONAL_FLOW}:
        output = await _flow(cluster, agent, parameters, conversation)
    else:
        raise refused(501, "not_emulated", f"the emulator runs no {kind} agents")
    return AgentTensors(inference_results=[ModelTensors(output=output)])


async def _flow(
    cluster: Cluster, agent: Agent, parameters: Mapping[str, str], conversation: Conversation | None
) -> list[ModelTensor]:
    results = await _in_order(cluster, agent, parameters)
    if conversation is not None:
        conversation.end(None, {f"{name}.output": result for name, result in results.items()})
    if len(results) == 1 and (agent.type or "").lower() == AgentType.FLOW:
        # The server names an output after its tool only if there are several.
        return [TextTensor(name="response", result=result) for result in results.values()]
    return _shown(agent, results)


async def _conversational_flow(
    cluster: Cluster, agent: Agent, parameters: Mapping[str, str], conversation: Conversation
) -> list[ModelTensor]:
    past = conversation.past(parameters)
    history = "".join(f"Human:{one.input}\nAssistant:{one.response}\n" for one in past)
    if history:
        parameters = {**parameters, "chat_history": history}
    results = await _in_order(cluster, agent, parameters)
    for name, result in results.items():
        conversation.trace(parameters.get("question", ""), result, name)
    conversation.end([*results.values()][-1], {})
    return [*conversation.tensors, *_shown(agent, results)]


async def _in_order(cluster: Cluster, agent: Agent, parameters: Mapping[str, str]) -> dict[str, str]:
    """Run all tools in order; return the results by tool name. Each tool gets the results of those before it."""
    if not agent.tools:
        raise illegal("no tool configured")
    results: dict[str, str] = {}
    for tool in agent.tools:
        known = {f"{name}.output": result for name, result in results.items()}
        results[agent_store.tool_name(tool)] = await tools.use(cluster, tool, {**parameters, **known})
    return results


def _shown(agent: Agent, results: Mapping[str, str]) -> list[ModelTensor]:
    *before, last = agent.tools or []
    shown = [tool for tool in before if tool.include_output_in_agent_response]
    names = [agent_store.tool_name(tool) for tool in (*shown, last)]
    return [TextTensor(name=name, result=results[name]) for name in names]
