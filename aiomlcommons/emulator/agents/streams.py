"""Streaming handlers for predictions and agents, as server-sent events; they need ``Cluster(streams=True)``.

A server without the streaming transport answers that it does not support streaming.
"""

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
from aiomlcommons.emulator.agents._stream_frames import AgUiFrames, FrameEncoder, TextFrames
from aiomlcommons.emulator.agents.chat import chat
from aiomlcommons.emulator.agents.chat_streams import (
    OPENAI_CHAT,
    StreamEnd,
    TextDelta,
    ToolCall,
    stream_chat,
    wait_forever,
)
from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.emulator.connectors import remote
from aiomlcommons.emulator.connectors.connector_store import as_text
from aiomlcommons.emulator.errors import NO_AG_UI, NO_STREAMS, ProviderFailed, Refused, refused, status_error
from aiomlcommons.emulator.models import model_store
from aiomlcommons.emulator.registry import Bare, handles
from aiomlcommons.endpoint import Request
from aiomlcommons.wire import codec

CHAT_TYPES = {AgentType.CONVERSATIONAL, AgentType.AG_UI}
NO_INPUT = "Expected RemoteInferenceInputDataSet for agent execution"
AG_UI_FIELDS = ("threadId", "runId", "state", "messages", "tools", "context", "forwardedProps")


@handles(PredictStream)
async def predict(cluster: Cluster, request: PredictStream) -> Bare:
    """Stream the text of a remote model; errors after the start are reported in the stream."""
    _check(cluster, request)
    model = model_store.find(cluster, request.model_id)
    if model.algorithm != FunctionName.REMOTE:
        raise refused(500, "illegal_state_exception", "Streaming is only supported for remote models")
    remote.check_allowed(cluster)
    return _stream(_predict_frames(cluster, request))


async def _predict_frames(cluster: Cluster, request: PredictStream) -> AsyncGenerator[bytes]:
    encoder = TextFrames()
    try:
        async for piece in stream_chat(cluster, request.model_id, as_text(request.parameters) or {}):
            for frame in encoder.encode(piece):
                yield frame
            if isinstance(piece, ToolCall):
                # The server does not detect that the stream ends with a tool call, and never closes it.
                yield encoder.encode(TextDelta(""))[0]
                await wait_forever()
    except Refused as error:
        for frame in encoder.model_error(_reason(error)):
            yield frame


@handles(ExecuteAgentStream)
async def execute(cluster: Cluster, request: ExecuteAgentStream) -> Bare:
    """Stream the text of an agent, or AG-UI events if the request has the form of AG-UI."""
    _check(cluster, request)
    agent = agent_store.find(cluster, request.agent_id)
    kind = (agent.type or "").lower()
    if kind == AgentType.CONVERSATIONAL_V2:
        where = f"Please use the non-streaming execute endpoint: POST /_plugins/_ml/agents/{request.agent_id}/_execute"
        raise status_error(400, f"V2 agents (CONVERSATIONAL_V2) do not support streaming. {where}")
    if agent.llm is not None:
        model_store.find(cluster, agent.llm.model_id)
    # For other types of agents the server never sends anything.
    return _stream(_execute_frames(cluster, request, agent) if kind in CHAT_TYPES else _nothing())


async def _nothing() -> AsyncGenerator[bytes]:
    yield b""
    await wait_forever()


async def _execute_frames(cluster: Cluster, request: ExecuteAgentStream, agent: Agent) -> AsyncGenerator[bytes]:
    frames: asyncio.Queue[bytes | None] = asyncio.Queue()
    running = asyncio.create_task(_run(cluster, request, agent, frames))
    try:
        while (frame := await frames.get()) is not None:
            yield frame
        await running
    finally:
        running.cancel()


async def _run(
    cluster: Cluster, request: ExecuteAgentStream, agent: Agent, frames: asyncio.Queue[bytes | None]
) -> None:
    encoder: FrameEncoder = TextFrames()
    try:
        given, encoder = _parameters(cluster, request, agent)
        _put(frames, encoder.begin())
        parameters = agent_memory.with_question(cluster, agent, given)
        conversation = agent_memory.begin(cluster, agent, parameters)
        if isinstance(encoder, TextFrames):
            encoder.names = conversation.names if conversation else dict.fromkeys(agent_memory.NAMES, "")
        if request.messages or isinstance(encoder, TextFrames):
            await chat(
                cluster, agent, parameters, conversation, _Listener(cluster, encoder, frames, request.tools or ())
            )
        _put(frames, encoder.encode(StreamEnd()))
    except _ModelFailed as failure:
        _put(frames, encoder.model_error(str(failure)))
    except Refused as error:
        _put(frames, encoder.server_error(_reason(error)))
    finally:
        frames.put_nowait(None)


class _ModelFailed(Exception):
    """A failure of the model, which has other frames than an error of the server."""


@attrs.frozen
class _Listener:
    """Calls the model in streaming mode and queues the frames."""

    cluster: Cluster
    encoder: FrameEncoder
    frames: asyncio.Queue[bytes | None]
    tools: Sequence[Mapping[str, Any]]

    async def ask(self, model_id: str, parameters: Mapping[str, str]) -> Mapping[str, Any]:
        """Return the complete response, as from a model that does not stream."""
        text = ""
        if parameters.get("_llm_interface") != OPENAI_CHAT:
            await wait_forever()
        try:
            async for piece in stream_chat(self.cluster, model_id, parameters):
                if isinstance(piece, TextDelta):
                    text += piece.text
                if not isinstance(piece, StreamEnd):
                    _put(self.frames, self.encoder.encode(piece))
                if isinstance(piece, ToolCall):
                    return _answer({"role": "assistant", **piece.message}, "tool_calls")
        except ProviderFailed as error:
            raise _ModelFailed(_reason(error)) from error
        return _answer({"role": "assistant", "content": text}, "stop")

    def give(self, call_id: str, result: str) -> None:
        """Queue the result of a tool."""
        _put(self.frames, self.encoder.tool_result(call_id, result))


def _answer(message: Mapping[str, Any], reason: str) -> dict[str, Any]:
    return {"choices": [{"message": message, "finish_reason": reason}]}


def _parameters(cluster: Cluster, request: ExecuteAgentStream, agent: Agent) -> tuple[dict[str, str], FrameEncoder]:
    """Return the parameters of the run and the encoder of its frames. A thread of AG-UI is a conversation."""
    if request.parameters is not None:
        return as_text(request.parameters) or {}, TextFrames()
    if any(getattr(request, name) is None for name in AG_UI_FIELDS):
        raise refused(400, "illegal_argument_exception", NO_INPUT)
    if not cluster.settings.flag("ag_ui_enabled"):
        raise refused(500, "illegal_state_exception", NO_AG_UI)
    thread = request.threadId or ""
    given = {"memory_id": thread}
    encoder = AgUiFrames(cluster, thread, request.runId or "", snapshot=not request.messages)
    if request.messages and (agent.type or "").lower() == AgentType.AG_UI:
        context = orjson.dumps(request.context).decode()
        given["question"] = f"Context: {context}\nQuestion: {_text(request.messages[-1].get('content'))}"
    return given, encoder


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "".join(str(block.get("text", "")) for block in content or ())


def _check(cluster: Cluster, request: Request[Any]) -> None:
    if not cluster.streams:
        http = codec.to_http(request)
        reason = "The engine does not support HTTP streaming, unable to serve uri"
        raise refused(500, "illegal_state_exception", f"{reason} [{http.path}] and method [{http.method}]")
    if not cluster.settings.flag("stream_enabled"):
        raise refused(500, "illegal_state_exception", NO_STREAMS)


def _stream(frames: AsyncGenerator[bytes]) -> Bare:
    return Bare(200, _headers_first(frames), "text/event-stream")


async def _headers_first(frames: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    """Yield an empty piece first: the headers are sent with it, and must not wait for the first frame."""
    yield b""
    async with aclosing(frames):
        async for frame in frames:
            yield frame


def _put(frames: asyncio.Queue[bytes | None], new: list[bytes]) -> None:
    for frame in new:
        frames.put_nowait(frame)


def _reason(error: Refused) -> str:
    return str(error.body["error"]["reason"])
