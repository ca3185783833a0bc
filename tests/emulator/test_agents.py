"""Agents, beyond the recordings."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import orjson
import pytest
import pytest_asyncio

from aiomlcommons import ApiError, BadRequest, FeatureDisabled, NotFound, Session, TaskFailed
from aiomlcommons.api.agent_runs import AgentTask, AgentTensors
from aiomlcommons.api.agents import AgentModelSpec, LLMSpec, MemorySpec, ToolSpec
from aiomlcommons.api.settings import MLSettings
from aiomlcommons.api.tensors import MapTensor, ModelTensor, TextTensor
from tests.support import model_server
from tests.support.contract.chat import chat_model
from tests.support.emulated_models import ALLOWED, NOW

pytestmark = pytest.mark.asyncio
OPENAI = {"_llm_interface": "openai/v1/chat/completions"}
REMEMBERS = MemorySpec(type="conversation_index")
CALL = 'please use llm with {"question": "six times seven?"}'


@pytest_asyncio.fixture
async def model_id(ml: Session) -> AsyncGenerator[str]:
    await ml.settings.apply(ALLOWED)
    async with model_server.serve() as url, chat_model(ml, "chat", url) as model_id:
        yield model_id


def _tool(model_id: str, name: str = "llm", prompt: str = "${parameters.question}", **more: Any) -> ToolSpec:
    parameters = {"model_id": model_id, "prompt": prompt, "response_field": "choices"}
    return ToolSpec(type="MLModelTool", name=name, parameters=parameters, **more)


async def _chatting(ml: Session, model_id: str, **more: Any) -> str:
    llm = LLMSpec(model_id=model_id, parameters={"prompt": "${parameters.question}"})
    given = {"llm": llm, "memory": REMEMBERS, "parameters": OPENAI, **more}
    return (await ml.agents.register("chatting", "conversational", **given)).agent_id


async def _run(ml: Session, agent_id: str, **parameters: str) -> list[ModelTensor]:
    answer = await ml.agents.execute(agent_id, parameters=parameters)
    assert isinstance(answer, AgentTensors)
    assert answer.inference_results
    (result,) = answer.inference_results
    return result.output or []


def _texts(tensors: list[ModelTensor]) -> dict[str | None, str]:
    return {tensor.name: tensor.result for tensor in tensors if isinstance(tensor, TextTensor)}


def _answer(tensors: list[ModelTensor]) -> str:
    assert isinstance(tensors[-1], MapTensor)
    return str(tensors[-1].dataAsMap["response"])


# ---- as they are registered ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kind", "more", "words"),
    [
        (" ", "flow", {}, "Agent name cannot be empty"),
        ("a", "waterfall", {}, "waterfall is not a valid Agent Type"),
        ("a", "conversational", {}, "We need model information for the conversational agent type"),
        ("a", "flow", {"tools": [ToolSpec(type="T"), ToolSpec(type="X", name="T")]}, "Duplicate tool defined: T"),
    ],
)
async def test_bad_agents_are_refused(ml: Session, name: str, kind: str, more: dict[str, Any], words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        await ml.agents.register(name, kind, **more)


async def test_values_become_text_and_an_update_leaves_the_rest(ml: Session) -> None:
    llm = LLMSpec(model_id="m", parameters={"max_iteration": 5})
    made = await ml.agents.register("a", "flow", llm=llm, tools=[ToolSpec(type="T", parameters={"n": [1]})])
    agent = await ml.agents.get(made.agent_id)
    assert agent.llm
    assert agent.tools
    assert agent.llm.parameters == {"max_iteration": "5"}
    assert (agent.tools[0].parameters, agent.tools[0].include_output_in_agent_response) == ({"n": "[1]"}, False)
    memory = {"type": "conversation_index", "window_size": 3}
    changed = await ml.agents.update(made.agent_id, name="b", llm={"model_id": "other"}, memory=memory)
    assert (changed.result, changed.version) == ("updated", 2)
    await ml.agents.update(made.agent_id, memory={"window_size": 4})
    agent = await ml.agents.get(made.agent_id)
    assert (agent.name, agent.type, agent.memory) == ("b", "flow", MemorySpec(type="conversation_index", window_size=4))
    assert agent.llm == LLMSpec(model_id="other", parameters={"max_iteration": "5"})


async def test_a_missing_agent_is_not_found(ml: Session) -> None:
    with pytest.raises(NotFound):
        await ml.agents.update("nope", name="b")
    with pytest.raises(NotFound, match="Fail to find ml agent"):
        await ml.agents.delete("nope")


async def test_models_of_providers_need_a_switch_and_are_not_emulated(newer: Session) -> None:
    model = AgentModelSpec(model_id="m", model_provider="openai/v1/chat/completions")
    with pytest.raises(FeatureDisabled, match="Unified agent API is not enabled"):
        await newer.agents.register("a", "conversational", model=model)
    await newer.settings.apply(MLSettings(unified_agent_api_enabled=True))
    with pytest.raises(ApiError, match="makes no connectors"):
        await newer.agents.register("a", "conversational", model=model)


async def test_agents_may_be_switched_off(ml: Session) -> None:
    await ml.settings.apply(MLSettings(agent_framework_enabled=False))
    with pytest.raises(ApiError, match="Agent Framework is currently disabled"):
        await ml.agents.search({})


# ---- flows ---------------------------------------------------------------------------------------------------------


async def test_a_flow_shows_the_last_result_and_those_that_are_wanted(ml: Session, model_id: str) -> None:
    tools = [
        _tool(model_id, "first", include_output_in_agent_response=True),
        _tool(model_id, "second", "please repeat ${parameters.first.output}"),
        _tool(model_id, "third", "please repeat ${parameters.second.output}"),
    ]
    made = await ml.agents.register("a", "flow", tools=tools)
    texts = _texts(await _run(ml, made.agent_id, question="x"))
    assert texts.keys() == {"first", "third"}
    assert "The answer is 42." in texts["third"]


async def test_parameters_of_a_run_reach_a_tool_under_its_name_and_a_filter_cuts_its_result(
    ml: Session, model_id: str
) -> None:
    tool = _tool(model_id, config={"output_filter": "$[0].message.content"})
    made = await ml.agents.register("a", "flow", tools=[tool])
    texts = _texts(await _run(ml, made.agent_id, **{"question": "x", "llm.prompt": "please repeat it"}))
    assert texts == {"response": "You are a helpful assistant.\nplease repeat it"}
    texts = _texts(await _run(ml, made.agent_id, question="x", prompt="please repeat that"))
    assert texts == {"response": "You are a helpful assistant.\nplease repeat that"}


async def test_a_flow_without_tools_or_with_one_that_nobody_has_is_refused(ml: Session) -> None:
    empty = await ml.agents.register("a", "flow")
    with pytest.raises(BadRequest, match="no tool configured") as caught:
        await ml.agents.execute(empty.agent_id, parameters={"question": "x"})
    assert caught.value.type == "IllegalArgumentException"
    wrong = await ml.agents.register("b", "flow", tools=[ToolSpec(type="NopeTool")])
    with pytest.raises(BadRequest, match="Tool not found: NopeTool"):
        await ml.agents.execute(wrong.agent_id, parameters={"question": "x"})


async def test_a_conversational_flow_remembers(ml: Session, model_id: str) -> None:
    prompt = "please repeat ${parameters.chat_history:-nothing} ${parameters.question}"
    tools = [_tool(model_id, prompt=prompt, config={"output_filter": "$[0].message.content"})]
    made = await ml.agents.register("a", "conversational_flow", tools=tools, memory=REMEMBERS, app_type="x")
    first = _texts(await _run(ml, made.agent_id, question="one"))
    assert first["llm"] == "You are a helpful assistant.\nplease repeat nothing one"
    second = _texts(await _run(ml, made.agent_id, question="two", memory_id=first["memory_id"]))
    assert "Human:one\nAssistant:You are a helpful assistant." in second["llm"]
    (trace,) = (await ml.memory.list_traces(second["parent_interaction_id"])).traces
    assert (trace.origin, trace.response) == ("llm", second["llm"])


# ---- conversations -------------------------------------------------------------------------------------------------


async def test_a_conversation_is_kept_with_its_answers(ml: Session, model_id: str) -> None:
    agent_id = await _chatting(ml, model_id, app_type="chat")
    first = await _run(ml, agent_id, question="please count")
    memory_id = _texts(first)["memory_id"]
    assert _answer(first) == "I was told 2 messages."
    assert _answer(await _run(ml, agent_id, question="please count", memory_id=memory_id)) == "I was told 4 messages."
    forgetful = await _run(ml, agent_id, question="please count", memory_id=memory_id, message_history_limit="1")
    assert _answer(forgetful) == "I was told 4 messages."
    told = _answer(await _run(ml, agent_id, question="please repeat", memory_id=memory_id, message_history_limit="1"))
    assert "I was told 4 messages." in told
    assert "I was told 2 messages." not in told
    assert (await ml.memory.get(memory_id)).name == "please count"
    page = await ml.memory.list_messages(memory_id)
    assert [message.response for message in page.messages[:3]] == [f"I was told {n} messages." for n in (2, 4, 4)]


async def test_a_memory_that_is_not_there_is_not_found(ml: Session, model_id: str) -> None:
    agent_id = await _chatting(ml, model_id)
    with pytest.raises(NotFound, match=r"Memory \[nope\] not found") as caught:
        await _run(ml, agent_id, question="x", memory_id="nope")
    assert caught.value.type == "ResourceNotFoundException"


async def test_a_question_is_asked_again_in_place_of_the_first_time(ml: Session, model_id: str) -> None:
    agent_id = await _chatting(ml, model_id)
    first = _texts(await _run(ml, agent_id, question="please count"))
    memory_id, old = first["memory_id"], first["parent_interaction_id"]
    again = await _run(ml, agent_id, memory_id=memory_id, regenerate_interaction_id=old)
    assert _answer(again) == "I was told 2 messages."
    (message,) = (await ml.memory.list_messages(memory_id)).messages
    new = _texts(again)["parent_interaction_id"]
    assert (message.message_id, message.input, new != old) == (new, "please count", True)
    found = await ml.memory.search_messages(memory_id, {"query": {"match_all": {}}})
    assert old not in {hit.source.parent_message_id for hit in found}


async def test_only_a_message_that_is_there_is_answered_again(ml: Session, model_id: str) -> None:
    agent_id = await _chatting(ml, model_id)
    with pytest.raises(BadRequest, match="A memory ID must be provided to regenerate"):
        await _run(ml, agent_id, question="x", regenerate_interaction_id="nope")
    memory_id = _texts(await _run(ml, agent_id, question="x"))["memory_id"]
    with pytest.raises(NotFound, match=r"Message \[nope\] not found"):
        await _run(ml, agent_id, memory_id=memory_id, regenerate_interaction_id="nope")


async def test_a_message_belongs_to_a_conversation_that_is_named_too(ml: Session, model_id: str) -> None:
    agent_id = await _chatting(ml, model_id)
    first = _texts(await _run(ml, agent_id, question="x", parent_interaction_id="nope"))
    assert first["parent_interaction_id"] != "nope"
    named = {"memory_id": first["memory_id"], "parent_interaction_id": first["parent_interaction_id"]}
    same = _texts(await _run(ml, agent_id, question="y", **named))
    assert same == first
    (message,) = (await ml.memory.list_messages(first["memory_id"])).messages
    assert message.input == "x"


async def test_an_agent_without_memory_answers_all_the_same(ml: Session, model_id: str) -> None:
    agent_id = await _chatting(ml, model_id, memory=None)
    (tensor,) = await _run(ml, agent_id, question="x")
    assert isinstance(tensor, MapTensor)
    assert tensor.dataAsMap == {"response": "The answer is 42.", "additional_info": {}}


async def test_the_model_has_a_tool_run_and_reads_its_result(ml: Session, model_id: str) -> None:
    tool = _tool(model_id, include_output_in_agent_response=True)
    agent_id = await _chatting(ml, model_id, tools=[tool])
    tensors = await _run(ml, agent_id, question=CALL)
    assert _answer(tensors).startswith("The tool said: ")
    assert "The answer is 42." in _answer(tensors)
    assert isinstance(tensors[-1], MapTensor)
    assert tensors[-1].dataAsMap["additional_info"].keys() == {"llm.output"}
    traces = (await ml.memory.list_traces(_texts(tensors)["parent_interaction_id"])).traces
    assert [trace.origin for trace in traces] == ["LLM", "llm", "LLM"]


async def test_a_tool_that_fails_or_is_not_there_is_told_to_the_model(ml: Session, model_id: str) -> None:
    agent_id = await _chatting(ml, model_id, tools=[_tool("nope")])
    failed = _answer(await _run(ml, agent_id, question=CALL))
    assert "Failed to run the tool llm with the error message Failed to find model." in failed
    missing = _answer(await _run(ml, agent_id, question="please use other with {}"))
    assert missing == "The tool said: Failed to run the tool other which is unsupported."


@pytest.mark.parametrize("parameters", [OPENAI, None])
async def test_a_kind_of_tool_that_nobody_has_is_refused_before_the_model_is_asked(
    ml: Session, model_id: str, parameters: dict[str, str] | None
) -> None:
    tools = [ToolSpec(type="NopeTool", description="d", attributes={"input_schema": "{}"})]
    agent_id = await _chatting(ml, model_id, parameters=parameters, tools=tools)
    with pytest.raises(BadRequest, match="Tool not found: NopeTool"):
        await _run(ml, agent_id, question="please break")


@pytest.mark.parametrize("schema", ["no JSON", None])
async def test_a_tool_whose_schema_is_no_json_is_offered_without_one(
    ml: Session, model_id: str, schema: str | None
) -> None:
    """The schema of the IndexInsightTool, as the server lists it, is not JSON either."""
    tool = ToolSpec(type="IndexInsightTool", attributes={"input_schema": schema} if schema else None)
    agent_id = await _chatting(ml, model_id, tools=[tool])
    assert _answer(await _run(ml, agent_id, question="x")) == "The answer is 42."


@pytest.mark.parametrize(("steps", "origins"), [("1", ["LLM"]), ("2", ["LLM", "llm"])])
async def test_the_turns_are_counted(ml: Session, model_id: str, steps: str, origins: list[str]) -> None:
    agent_id = await _chatting(ml, model_id, tools=[_tool(model_id)])
    tensors = await _run(ml, agent_id, question=CALL, max_iteration=steps)
    words = f"Agent reached maximum iterations ({steps}) without completing the task. Last thought"
    assert _answer(tensors).startswith(words)
    traces = (await ml.memory.list_traces(_texts(tensors)["parent_interaction_id"])).traces
    assert [trace.origin for trace in traces] == origins


async def test_all_steps_are_told_on_request(ml: Session, model_id: str) -> None:
    agent_id = await _chatting(ml, model_id, tools=[_tool(model_id)])
    tensors = await _run(ml, agent_id, question=CALL, verbose="true", disable_trace="true")
    assert [tensor.name for tensor in tensors] == ["memory_id", "parent_interaction_id", *["response"] * 3]
    assert (await ml.memory.list_traces(_texts(tensors)["parent_interaction_id"])).traces == []


async def test_a_model_that_knows_no_tools_is_prompted_with_them(ml: Session, model_id: str) -> None:
    """The prompt holds the tools; the model echoes it, and the echo is the answer."""
    llm = LLMSpec(model_id=model_id, parameters={"response_filter": "$.choices[0].message.content"})
    agent_id = await _chatting(ml, model_id, llm=llm, parameters=None, tools=[ToolSpec(type="ListIndexTool")])
    first = await _run(ml, agent_id, question="please repeat")
    assert "- ListIndexTool: This tool returns information" in _answer(first)
    again = await _run(ml, agent_id, question="please repeat", memory_id=_texts(first)["memory_id"])
    assert "Human: please repeat" in _answer(again)


async def test_a_prompted_model_may_ask_for_a_tool_in_json(ml: Session, model_id: str) -> None:
    move = orjson.dumps({"thought": "t", "action": "ListIndexTool", "action_input": "{}"}).decode()
    llm = LLMSpec(model_id=model_id, parameters={"response_filter": "$.choices[0].message.content"})
    prompt = "please repeat ${parameters.move}"
    agent_id = await _chatting(
        ml, model_id, llm=llm, parameters={"prompt": prompt}, tools=[ToolSpec(type="ListIndexTool")]
    )
    fenced = f"\n```json\n{move}\n```"
    answer = _answer(await _run(ml, agent_id, question="x", move=fenced, max_iteration="2"))
    assert answer.startswith("Agent reached maximum iterations (2)")


@pytest.mark.parametrize("name", ["max_iteration", "message_history_limit"])
async def test_a_number_must_be_one(ml: Session, model_id: str, name: str) -> None:
    agent_id = await _chatting(ml, model_id)
    with pytest.raises(BadRequest, match='For input string: "many"'):
        await _run(ml, agent_id, **{"question": "x", name: "many"})


async def test_what_the_emulator_does_not_run_it_names(ml: Session, model_id: str) -> None:
    bedrock = await _chatting(ml, model_id, parameters={"_llm_interface": "bedrock/converse"})
    with pytest.raises(ApiError, match="do not speak bedrock/converse") as caught:
        await _run(ml, bedrock, question="x")
    assert (caught.value.status, caught.value.type) == (501, "not_emulated")
    connected = await _chatting(ml, model_id, parameters={**OPENAI, "mcp_connectors": "[]"})
    with pytest.raises(ApiError, match="no tools of other MCP servers"):
        await _run(ml, connected, question="x")
    container = await _chatting(ml, model_id, memory=MemorySpec(type="agentic_memory"))
    with pytest.raises(ApiError, match="have no agentic_memory"):
        await _run(ml, container, question="x")
    llm = LLMSpec(model_id=model_id)
    planner = await ml.agents.register("p", "plan_execute_and_reflect", llm=llm)
    with pytest.raises(ApiError, match="runs no plan_execute_and_reflect agents"):
        await _run(ml, planner.agent_id, question="x")


async def test_input_needs_a_switch_and_a_run_needs_parameters(newer: Session) -> None:
    made = await newer.agents.register("a", "flow", tools=[ToolSpec(type="ListIndexTool")])
    with pytest.raises(FeatureDisabled, match="Unified agent API is not enabled"):
        await newer.agents.execute(made.agent_id, input="hello")
    with pytest.raises(BadRequest, match="wrong input"):
        await newer.agents.execute(made.agent_id)
    await newer.settings.apply(MLSettings(unified_agent_api_enabled=True))
    with pytest.raises(ApiError, match="take parameters, and no input"):
        await newer.agents.execute(made.agent_id, input="hello")


# ---- tasks ---------------------------------------------------------------------------------------------------------


async def test_a_task_names_the_conversation_and_holds_the_answer_in_the_end(ml: Session, model_id: str) -> None:
    agent_id = await _chatting(ml, model_id)
    started = await ml.agents.execute(agent_id, parameters={"question": "x"}, async_=True)
    assert isinstance(started, AgentTask)
    assert started.response
    assert (started.status, set(started.response)) == ("RUNNING", {"memory_id", "parent_interaction_id"})
    task = await ml.task(started.task_id, backoff=NOW)
    assert task.response
    assert task.response["memory_id"] == started.response["memory_id"]
    (result,) = task.response["inference_results"]
    assert [tensor["name"] for tensor in result["output"]] == ["memory_id", "parent_interaction_id", "response"]
    page = await ml.memory.list_messages(started.response["memory_id"])
    assert [message.response for message in page.messages] == ["The answer is 42."]


async def test_a_task_that_fails_says_why_in_its_response(ml: Session, model_id: str) -> None:
    made = await ml.agents.register("a", "flow", tools=[_tool(model_id)])
    started = await ml.agents.execute(made.agent_id, parameters={"question": "please fail"}, isAsync=True)
    assert isinstance(started, AgentTask)
    with pytest.raises(TaskFailed, match="bad input"):
        await ml.task(started, backoff=NOW)
    task = await ml.tasks.get(started.task_id)
    assert task.error is None
    assert "bad input" in (task.response or {})["error_message"]
