"""Streaming, beyond the recordings."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio

from aiomlcommons import ApiError, FeatureDisabled, NotFound, Session, StreamFailed
from aiomlcommons.api.ag_ui import AgUiEvent
from aiomlcommons.api.agents import AgentType, LLMSpec, MemorySpec, ToolSpec
from aiomlcommons.api.predict import Words
from aiomlcommons.api.settings import MLSettings
from aiomlcommons.emulator import Cluster, Emulator
from aiomlcommons.errors import ServerError
from tests.support import model_server
from tests.support.contract.chat import chat_model
from tests.support.copies import copies
from tests.support.emulated_models import ALLOWED, NOW, deployed

pytestmark = pytest.mark.asyncio
OPENAI = {"_llm_interface": "openai/v1/chat/completions"}
HELLO = {"prompt": "hello", **OPENAI}
SAID = [f"{word} " for word in model_server.PROVERB.split()]


@pytest_asyncio.fixture
async def ml() -> AsyncGenerator[Session]:
    """Yield a session on an emulator with the transport that streams need."""
    emulated = Emulator(Cluster(version="3.8.0", streams=True))
    async with emulated.serve() as url, Session(url, retries=0, backoff=NOW) as session:
        await session.settings.allow_first_model()
        await session.settings.apply(ALLOWED)
        await session.settings.apply(MLSettings(stream_enabled=True, ag_ui_enabled=True))
        yield session


@asynccontextmanager
async def _model(ml: Session, habit: str = "proverb") -> AsyncGenerator[str]:
    async with model_server.serve() as url, chat_model(ml, "chat", f"{url}/{habit}") as model_id:
        yield model_id


async def _agent(ml: Session, model_id: str, kind: AgentType = AgentType.CONVERSATIONAL, **more: Any) -> str:
    given: dict[str, Any] = {
        "llm": LLMSpec(model_id=model_id, parameters={"prompt": "${parameters.question}"}),
        "tools": [ToolSpec(type="ListIndexTool")],
        "parameters": OPENAI,
        "memory": MemorySpec(type="conversation_index"),
    }
    return (await ml.agents.register("a", kind, **{**given, **more})).agent_id


async def _words(ml: Session, model_id: str, **parameters: str) -> list[Words]:
    async with ml.models.predict_stream(model_id, parameters=parameters) as events:
        return [words async for words in events]


async def _events(ml: Session, agent_id: str, thread: str, **more: Any) -> list[Any]:
    asked: dict[str, Any] = {
        "threadId": thread,
        "runId": "r",
        "state": {},
        "messages": [{"role": "user", "content": "hello"}],
    }
    asked |= {"tools": [], "context": [], "forwardedProps": {}, **more}
    async with ml.agents.execute_stream(agent_id, **asked) as events:
        return [event async for event in events]


async def test_words_come_while_the_provider_still_writes(ml: Session) -> None:
    async with _model(ml, "pause") as model_id, ml.models.predict_stream(model_id, parameters=HELLO) as events:
        assert [(await anext(events)).content for _ in range(3)] == SAID[:3]


async def test_the_last_event_has_no_words(ml: Session) -> None:
    async with _model(ml) as model_id:
        told = await _words(ml, model_id, **HELLO)
    assert [(words.content, words.is_last) for words in told] == [*((word, False) for word in SAID), ("", True)]


@pytest.mark.parametrize(
    ("habit", "parameters", "why"),
    [
        ("boom", HELLO, 'Error from remote service: {"error": {"message": "boom"}}'),
        ("cut", HELLO, "SSE failure with network error"),
        ("garbled", HELLO, "SSE failure with network error"),
        ("proverb", {"prompt": "hello"}, "Fail to execute streaming"),
    ],
)
async def test_what_goes_wrong_is_told_in_the_stream(
    ml: Session, habit: str, parameters: dict[str, str], why: str
) -> None:
    async with _model(ml, habit) as model_id:
        with pytest.raises(StreamFailed) as caught:
            await _words(ml, model_id, **parameters)
        assert why in str(caught.value)
        assert str(caught.value).endswith(f" [x-opaque-id {caught.value.opaque_id}]")
        assert all(str(twin) == str(caught.value) for twin in copies(caught.value))


async def test_an_error_of_a_provider_that_is_too_large_interrupts_the_stream(
    ml: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aiomlcommons.emulator.bounded.LARGEST_RESPONSE", 10)
    async with _model(ml, "boom") as model_id:
        with pytest.raises(StreamFailed, match="SSE failure with network error"):
            await _words(ml, model_id, **HELLO)


async def test_what_cannot_begin_is_refused(ml: Session) -> None:
    with pytest.raises(NotFound, match="Failed to find model"):
        await _words(ml, "nope", **HELLO)
    with pytest.raises(ServerError, match="only supported for remote models"):
        await _words(ml, await deployed(ml), **HELLO)
    await ml.settings.apply(MLSettings(stream_enabled=False))
    with pytest.raises(FeatureDisabled, match="Streaming is currently disabled"):
        await _words(ml, "nope", **HELLO)


async def test_an_agent_remembers_what_it_said(ml: Session) -> None:
    async with _model(ml, "tool") as model_id:
        agent_id = await _agent(ml, model_id)
        async with ml.agents.execute_stream(agent_id, parameters={"question": "hello?"}) as events:
            told = [event async for event in events if isinstance(event, Words)]
    memory_id = told[-1].memory_id
    assert memory_id
    assert "ListIndexTool" in told[0].content
    (message,) = (await ml.memory.list_messages(memory_id)).messages
    assert (message.input, message.response) == ("hello?", model_server.PROVERB)
    traces = (await ml.memory.list_traces(message.message_id or "")).traces
    assert [trace.origin for trace in traces] == ["LLM", "ListIndexTool", "LLM"]


@pytest.mark.parametrize("habit", ["boom", "cut"])
async def test_a_failed_model_fails_the_stream_of_its_agent(ml: Session, habit: str) -> None:
    async with _model(ml, habit) as model_id:
        agent_id = await _agent(ml, model_id)
        with pytest.raises(StreamFailed, match=r"remote service|network error"):
            async with ml.agents.execute_stream(agent_id, parameters={"question": "hello?"}) as events:
                assert all([isinstance(event, Words) async for event in events])


async def test_a_run_of_ag_ui_has_a_beginning_calls_messages_and_an_end(ml: Session) -> None:
    async with _model(ml, "tool") as model_id:
        agent_id = await _agent(ml, model_id, AgentType.AG_UI)
        thread = (await ml.memory.create("a thread")).memory_id
        told: list[AgUiEvent] = await _events(ml, agent_id, thread)
    kinds = [event.type for event in told]
    call = ["TOOL_CALL_START", *["TOOL_CALL_ARGS"] * 3, "TOOL_CALL_END", "TOOL_CALL_RESULT"]
    words = ["TEXT_MESSAGE_START", *["TEXT_MESSAGE_CONTENT"] * len(SAID), "TEXT_MESSAGE_END"]
    assert kinds == ["RUN_STARTED", *call, *words, "RUN_FINISHED", "RUN_FINISHED"]


async def test_a_tool_of_whoever_asks_ends_the_run(ml: Session) -> None:
    async with _model(ml, "tool") as model_id:
        agent_id = await _agent(ml, model_id, AgentType.AG_UI, tools=[])
        thread = (await ml.memory.create("a thread")).memory_id
        told = await _events(ml, agent_id, thread, tools=[{"name": "ListIndexTool", "description": "d"}])
    call = ["TOOL_CALL_START", *["TOOL_CALL_ARGS"] * 3, "TOOL_CALL_END"]
    assert [event.type for event in told] == ["RUN_STARTED", *call, "RUN_FINISHED", "RUN_FINISHED"]


async def test_a_thread_without_a_message_is_told_and_nothing_is_asked(ml: Session) -> None:
    async with _model(ml, "boom") as model_id:
        agent_id = await _agent(ml, model_id, AgentType.AG_UI)
        thread = (await ml.memory.create("a thread")).memory_id
        told = await _events(ml, agent_id, thread, messages=[])
    assert [event.type for event in told] == ["RUN_STARTED", "MESSAGES_SNAPSHOT", "RUN_FINISHED", "RUN_FINISHED"]


async def test_a_run_of_ag_ui_needs_its_thread_its_switch_and_all_its_fields(ml: Session) -> None:
    async with _model(ml) as model_id:
        agent_id = await _agent(ml, model_id, AgentType.AG_UI)
        with pytest.raises(StreamFailed, match=r"Memory \[nope\] not found"):
            await _events(ml, agent_id, "nope")
        with pytest.raises(StreamFailed, match="Expected RemoteInferenceInputDataSet"):
            await _events(ml, agent_id, "nope", state=None)
        await ml.settings.apply(MLSettings(ag_ui_enabled=False))
        with pytest.raises(StreamFailed, match="AG-UI agent feature is not enabled"):
            await _events(ml, agent_id, "nope")


async def test_an_agent_of_words_knows_no_question_of_ag_ui(ml: Session) -> None:
    async with _model(ml) as model_id:
        agent_id = await _agent(ml, model_id)
        thread = (await ml.memory.create("a thread")).memory_id
        with pytest.raises(StreamFailed, match="Some parameter placeholder not filled in payload: question"):
            await _events(ml, agent_id, thread)


@pytest.mark.parametrize("kind", [AgentType.PLAN_EXECUTE_AND_REFLECT, AgentType.CONVERSATIONAL])
async def test_a_stream_begins_although_nothing_ever_comes(ml: Session, kind: AgentType) -> None:
    async with _model(ml) as model_id:
        agent_id = await _agent(ml, model_id, kind, parameters={})
        # The headers are sent at once, otherwise this would hang.
        async with ml.agents.execute_stream(agent_id, parameters={"question": "x"}):
            pass


async def test_without_the_transport_there_are_no_streams() -> None:
    async with Emulator(Cluster(version="3.8.0")).serve() as url, Session(url) as ml:
        with pytest.raises(ApiError, match="does not support HTTP streaming"):
            await _words(ml, "m", **HELLO)
