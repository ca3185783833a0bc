"""Contract tests: agents with a model on this machine."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio

from aiomlcommons import BadRequest, NotFound, Session
from aiomlcommons.api.agent_runs import AgentTask, AgentTensors
from aiomlcommons.api.agent_tools import ml_model_tool
from aiomlcommons.api.agents import LLMSpec, MemorySpec, ToolSpec
from tests.support.contract.chat import chat_model
from tests.support.contract.undoing import afterwards, deleted
from tests.support.model_server import serve as serve_model

pytestmark = [pytest.mark.asyncio, pytest.mark.since("2.12", "agents")]


@pytest_asyncio.fixture
async def model_id(ml: Session, unique: str, loopback: str) -> AsyncGenerator[str]:
    """Yield the id of a chat model that the cluster calls on this machine."""
    async with serve_model(loopback) as url, chat_model(ml, unique, url) as model_id:
        yield model_id


def _tool(model_id: str, name: str, prompt: str, field: str = "choices") -> ToolSpec:
    return ml_model_tool(model_id, prompt=prompt, response_field=field, name=name)


@pytest.mark.since("3.1", "changing an agent")
async def test_an_agent_is_registered_changed_found_and_deleted(ml: Session, unique: str) -> None:
    made = await ml.agents.register(unique, "flow", tools=[ToolSpec(type="ListIndexTool")], parameters={"a": 1})
    async with afterwards(lambda: deleted(ml.agents.delete(made.agent_id))):
        await ml.agents.update(made.agent_id, description="changed")
        agent = await ml.agents.get(made.agent_id)
        assert (agent.name, agent.type, agent.description, agent.parameters) == (unique, "flow", "changed", {"a": "1"})
        hits = await ml.agents.search({"query": {"ids": {"values": [made.agent_id]}}})
        assert [hit.source.name for hit in hits] == [unique]
    with pytest.raises(NotFound, match=made.agent_id):
        await ml.agents.get(made.agent_id)


async def test_an_agent_needs_a_type_that_the_server_knows(ml: Session, unique: str) -> None:
    with pytest.raises(BadRequest, match=r"not a valid Agent Type|Invalid Agent Type"):
        await ml.agents.register(unique, "no such type")


async def test_a_flow_hands_the_answer_of_a_tool_to_the_next_one(ml: Session, unique: str, model_id: str) -> None:
    first, second = "${parameters.question}", "please repeat ${parameters.first.output}"
    # The first tool returns plain text: 3.4 inserts quotes into the JSON of the next one without escaping them.
    tools = [_tool(model_id, "first", first, "object"), _tool(model_id, "second", second)]
    made = await ml.agents.register(unique, "flow", tools=tools)
    async with afterwards(lambda: ml.agents.delete(made.agent_id)):
        answer = await ml.agents.execute(made.agent_id, parameters={"question": "what is tea?"})
    assert isinstance(answer, AgentTensors)
    assert (answer.outputs.keys(), "please repeat chat.completion" in answer.text) == ({"second"}, True)


@pytest.mark.since("3.0", "the task of an agent")
async def test_an_agent_that_is_not_waited_for_leaves_its_answer_in_a_task(
    ml: Session, unique: str, model_id: str
) -> None:
    made = await ml.agents.register(unique, "flow", tools=[_tool(model_id, "llm", "${parameters.question}")])
    async with afterwards(lambda: ml.agents.delete(made.agent_id)):
        started = await ml.agents.execute(made.agent_id, parameters={"question": "six times seven?"}, async_=True)
        assert isinstance(started, AgentTask)
        task = await ml.task(started)
    assert (task.task_type, task.state) == ("AGENT_EXECUTION", "COMPLETED")
    assert "The answer is 42." in str(task.response)


@pytest.mark.since("3.0", "an agent that speaks as OpenAI does")
async def test_a_conversation_goes_on_where_it_ended(ml: Session, unique: str, model_id: str) -> None:
    made = await ml.agents.register(
        unique,
        "conversational",
        llm=LLMSpec(model_id=model_id, parameters={"prompt": "${parameters.question}"}),
        memory=MemorySpec(type="conversation_index"),
        parameters={"_llm_interface": "openai/v1/chat/completions"},
        app_type="contract",
    )
    async with afterwards(lambda: ml.agents.delete(made.agent_id)):
        memory_id, words = await _ask(ml, made.agent_id, question="please count")
        async with afterwards(lambda: ml.memory.delete(memory_id)):
            assert words == "I was told 2 messages."
            same, words = await _ask(ml, made.agent_id, question="please count again", memory_id=memory_id)
            assert (same, words) == (memory_id, "I was told 4 messages.")
            page = await ml.memory.list_messages(memory_id)
            assert [message.input for message in page.messages] == ["please count", "please count again"]


async def _ask(ml: Session, agent_id: str, **parameters: str) -> tuple[str, str]:
    """Return the conversation and the text of an agent's answer."""
    answer = await ml.agents.execute(agent_id, parameters=parameters)
    assert isinstance(answer, AgentTensors)
    assert answer.outputs["parent_interaction_id"]
    return answer.outputs["memory_id"], answer.text


async def test_an_agent_that_is_not_there_cannot_run(ml: Session) -> None:
    with pytest.raises(NotFound, match="no-such-agent"):
        await ml.agents.execute("no-such-agent", parameters={"question": "x"})
