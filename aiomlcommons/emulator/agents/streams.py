"""Streams of words: a server without the streaming transport has none, and ``Cluster(streams=True)`` is one with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any

import attrs
import orjson

from aiomlcommons.api.agent_runs import ExecuteAgentStream
from aiomlcommons.api.agents import Agent, AgentType
from aiomlcommons.api.common import FunctionName
from aiomlcommons.api.predict import PredictStream
from aiomlcommons.emulator.agents import agent_memory, agent_store
from aiomlcommons.emulator.agents._stream_frames import AgUi, Voice, Words
from aiomlcommons.emulator.agents.chat import chat
from aiomlcommons.emulator.agents.chat_streams import SPOKEN, Called, Ended, Said, pieces, silence
from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.emulator.connectors import remote
from aiomlcommons.emulator.connectors.connector_store import as_text
from aiomlcommons.emulator.errors import NO_AG_UI, NO_STREAMS, ProviderFailed, Refused, refused, status_error
from aiomlcommons.emulator.models import model_store
from aiomlcommons.emulator.registry import Bare, handles
from aiomlcommons.endpoint import Request
from aiomlcommons.wire import codec

TALK = {AgentType.CONVERSATIONAL, AgentType.AG_UI}
NO_INPUT = "Expected RemoteInferenceInputDataSet for agent execution"
NEEDED = ("threadId", "runId", "state", "messages", "tools", "context", "forwardedProps")


@handles(PredictStream)
async def predict(cluster: Cluster, request: PredictStream) -> Bare:
    """Words as a remote model writes them; what goes wrong from then on is told in the stream."""
    _check(cluster, request)
    model = model_store.find(cluster, request.model_id)
    if model.algorithm != FunctionName.REMOTE:
        raise refused(500, "illegal_state_exception", "Streaming is only supported for remote models")
    remote.check_allowed(cluster)
    return _stream(_predicted(cluster, request))


async def _predicted(cluster: Cluster, request: PredictStream) -> AsyncGenerator[bytes]:
    voice = Words()
    try:
        async for piece in pieces(cluster, request.model_id, as_text(request.parameters) or {}):
            for told in voice.tell(piece):
                yield told
            if isinstance(piece, Called):
                # The server takes a model that calls a tool for one at work, and never comes to the end.
                yield voice.tell(Said(""))[0]
                await silence()
    except Refused as error:
        for told in voice.fail(_reason(error)):
            yield told


@handles(ExecuteAgentStream)
async def execute(cluster: Cluster, request: ExecuteAgentStream) -> Bare:
    """An agent's words, or the events of AG-UI if it is asked in its form."""
    _check(cluster, request)
    agent = agent_store.find(cluster, request.agent_id)
    kind = (agent.type or "").lower()
    if kind == AgentType.CONVERSATIONAL_V2:
        where = f"Please use the non-streaming execute endpoint: POST /_plugins/_ml/agents/{request.agent_id}/_execute"
        raise status_error(400, f"V2 agents (CONVERSATIONAL_V2) do not support streaming. {where}")
    if agent.llm is not None:
        model_store.find(cluster, agent.llm.model_id)
    # Other agents are never heard of.
    return _stream(_executed(cluster, request, agent) if kind in TALK else _nothing())


async def _nothing() -> AsyncGenerator[bytes]:
    yield b""
    await silence()


async def _executed(cluster: Cluster, request: ExecuteAgentStream, agent: Agent) -> AsyncGenerator[bytes]:
    frames: asyncio.Queue[bytes | None] = asyncio.Queue()
    running = asyncio.create_task(_run(cluster, request, agent, frames))
    try:
        while (told := await frames.get()) is not None:
            yield told
        await running
    finally:
        running.cancel()


async def _run(
    cluster: Cluster, request: ExecuteAgentStream, agent: Agent, frames: asyncio.Queue[bytes | None]
) -> None:
    voice: Voice = Words()
    try:
        given, voice = _asked(cluster, request, agent)
        _put(frames, voice.begin())
        parameters = agent_memory.with_question(cluster, agent, given)
        conversation = agent_memory.begin(cluster, agent, parameters)
        if isinstance(voice, Words):
            voice.names = conversation.names if conversation else dict.fromkeys(agent_memory.NAMES, "")
        if request.messages or isinstance(voice, Words):
            await chat(cluster, agent, parameters, conversation, _Listener(cluster, voice, frames, request.tools or ()))
        _put(frames, voice.tell(Ended()))
    except _ModelFailed as failure:
        _put(frames, voice.fail(str(failure)))
    except Refused as error:
        _put(frames, voice.refuse(_reason(error)))
    finally:
        frames.put_nowait(None)


class _ModelFailed(Exception):
    """The model's own failure, which is told otherwise than those of the server."""


@attrs.frozen
class _Listener:
    """Asks the model for a stream, and tells what comes."""

    cluster: Cluster
    voice: Voice
    frames: asyncio.Queue[bytes | None]
    tools: Sequence[Mapping[str, Any]]

    async def ask(self, model_id: str, parameters: Mapping[str, str]) -> Mapping[str, Any]:
        """The whole answer, as a model gives it that does not stream."""
        words = ""
        if parameters.get("_llm_interface") != SPOKEN:
            await silence()
        try:
            async for piece in pieces(self.cluster, model_id, parameters):
                if isinstance(piece, Said):
                    words += piece.words
                if not isinstance(piece, Ended):
                    _put(self.frames, self.voice.tell(piece))
                if isinstance(piece, Called):
                    return _answer({"role": "assistant", **piece.message}, "tool_calls")
        except ProviderFailed as error:
            raise _ModelFailed(_reason(error)) from error
        return _answer({"role": "assistant", "content": words}, "stop")

    def give(self, call_id: str, result: str) -> None:
        """Tell what a tool gave."""
        _put(self.frames, self.voice.give(call_id, result))


def _answer(message: Mapping[str, Any], reason: str) -> dict[str, Any]:
    return {"choices": [{"message": message, "finish_reason": reason}]}


def _asked(cluster: Cluster, request: ExecuteAgentStream, agent: Agent) -> tuple[dict[str, str], Voice]:
    """What an agent is given, and how it is to answer. A thread of AG-UI is a conversation."""
    if request.parameters is not None:
        return as_text(request.parameters) or {}, Words()
    if any(getattr(request, name) is None for name in NEEDED):
        raise refused(400, "illegal_argument_exception", NO_INPUT)
    if not cluster.settings.flag("ag_ui_enabled"):
        raise refused(500, "illegal_state_exception", NO_AG_UI)
    thread = request.threadId or ""
    given, voice = {"memory_id": thread}, AgUi(cluster, thread, request.runId or "", snapshot=not request.messages)
    if request.messages and (agent.type or "").lower() == AgentType.AG_UI:
        context = orjson.dumps(request.context).decode()
        given["question"] = f"Context: {context}\nQuestion: {_text(request.messages[-1].get('content'))}"
    return given, voice


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "".join(str(block.get("text", "")) for block in content or ())


def _check(cluster: Cluster, request: Request[Any]) -> None:
    if not cluster.streams:
        http = codec.to_http(request)
        words = "The engine does not support HTTP streaming, unable to serve uri"
        raise refused(500, "illegal_state_exception", f"{words} [{http.path}] and method [{http.method}]")
    if not cluster.settings.flag("stream_enabled"):
        raise refused(500, "illegal_state_exception", NO_STREAMS)


def _stream(frames: AsyncGenerator[bytes]) -> Bare:
    return Bare(200, _at_once(frames), "text/event-stream")


async def _at_once(frames: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    """The head goes out with the first piece, and must not wait for the first word."""
    yield b""
    async with aclosing(frames):
        async for told in frames:
            yield told


def _put(frames: asyncio.Queue[bytes | None], told: list[bytes]) -> None:
    for one in told:
        frames.put_nowait(one)


def _reason(error: Refused) -> str:
    return str(error.body["error"]["reason"])
