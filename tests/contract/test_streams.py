"""Contract tests: streamed predictions and agent runs, where the server has the transport for them."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio

from aiomlcommons import ServerError, Session, StreamFailed
from aiomlcommons.api.agents import LLMSpec, MemorySpec
from aiomlcommons.api.predict import Words
from aiomlcommons.api.settings import MLSettings
from aiomlcommons.errors import NotFound
from tests.support import model_server
from tests.support.contract.chat import chat_model
from tests.support.contract.undoing import afterwards

pytestmark = [pytest.mark.asyncio, pytest.mark.since("3.3", "streams")]
OPENAI = {"_llm_interface": "openai/v1/chat/completions"}
SAID = [f"{word} " for word in model_server.PROVERB.split()]


@pytest_asyncio.fixture
async def streams(ml: Session) -> AsyncGenerator[None]:
    """Enable streaming, where the server has the transport for it."""
    async with ml.settings.temporarily(MLSettings(stream_enabled=True)):
        try:
            await _words(ml, "no-such-model", {})
        except NotFound:
            yield
        except ServerError as error:
            if "does not support HTTP streaming" not in error.reason:
                raise
            pytest.skip(f"OpenSearch {await ml.version()}: {error.reason}")


async def _words(ml: Session, model_id: str, parameters: dict[str, str]) -> list[Words]:
    async with ml.models.predict_stream(model_id, parameters=parameters) as events:
        return [words async for words in events]


async def test_a_model_is_heard_word_by_word(ml: Session, unique: str, loopback: str, streams: None) -> None:
    async with model_server.serve(loopback) as url, chat_model(ml, unique, f"{url}/proverb") as model_id:
        told = await _words(ml, model_id, {"prompt": "hello", **OPENAI})
    assert [(words.content, words.is_last) for words in told] == [*((word, False) for word in SAID), ("", True)]


@pytest.mark.parametrize("habit", ["boom", "cut"])
async def test_what_goes_wrong_with_the_provider_is_raised(
    ml: Session, unique: str, loopback: str, streams: None, habit: str
) -> None:
    async with model_server.serve(loopback) as url, chat_model(ml, unique, f"{url}/{habit}") as model_id:
        with pytest.raises(StreamFailed):
            await _words(ml, model_id, {"prompt": "hello", **OPENAI})


@pytest.mark.parametrize("habit", ["proverb", "boom"])
async def test_an_agent_is_heard_and_its_providers_trouble_raised(
    ml: Session, unique: str, loopback: str, streams: None, habit: str
) -> None:
    async with model_server.serve(loopback) as url, chat_model(ml, unique, f"{url}/{habit}") as model_id:
        made = await ml.agents.register(
            unique,
            "conversational",
            llm=LLMSpec(model_id=model_id, parameters={"prompt": "${parameters.question}"}),
            memory=MemorySpec(type="conversation_index"),
            parameters=OPENAI,
            app_type="contract",
        )
        async with (
            afterwards(lambda: ml.agents.delete(made.agent_id)),
            ml.agents.execute_stream(made.agent_id, parameters={"question": "hello?"}) as events,
        ):
            if habit == "boom":
                with pytest.raises(StreamFailed, match="boom"):
                    await anext(events)
                return
            told = [event async for event in events if isinstance(event, Words)]
            memory_id = told[-1].memory_id or ""
            async with afterwards(lambda: ml.memory.delete(memory_id)):
                assert "".join(words.content for words in told).strip() == model_server.PROVERB
