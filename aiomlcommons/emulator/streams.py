"""Streams of words: a server without the streaming transport has none, and ``Cluster(streams=True)`` is one with it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Iterable, Mapping
from typing import Any

import attrs

from aiomlcommons import wire
from aiomlcommons.api.agent_runs import ExecuteAgentStream
from aiomlcommons.api.agents import Agent, AgentType
from aiomlcommons.api.common import FunctionName
from aiomlcommons.api.predict import PredictStream
from aiomlcommons.emulator import agents, conversations, models, remote
from aiomlcommons.emulator.chat_agents import chat
from aiomlcommons.emulator.chat_streams import Called, Ended, Said, pieces
from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.emulator.connectors import as_text
from aiomlcommons.emulator.errors import NO_AG_UI, NO_STREAMS, Refused, refused, status_error
from aiomlcommons.emulator.registry import Bare, handles
from aiomlcommons.emulator.stream_frames import AgUi, Voice, Words
from aiomlcommons.endpoint import Request

TALK = {AgentType.CONVERSATIONAL, AgentType.AG_UI}
NO_INPUT = "Expected RemoteInferenceInputDataSet for agent execution"
NEEDED = ("threadId", "runId", "messages", "tools", "context")


@handles(PredictStream)
async def predict(cluster: Cluster, request: PredictStream) -> Bare:
    """Words as a remote model writes them; what goes wrong from then on is told in the stream."""
    _check(cluster, request)
    model = models.find(cluster, request.model_id)
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
    except Refused as error:
        for told in voice.fail(_reason(error)):
            yield told


@handles(ExecuteAgentStream)
async def execute(cluster: Cluster, request: ExecuteAgentStream) -> Bare:
    """An agent's words, or the events of AG-UI if it is asked in its form."""
    _check(cluster, request)
    agent = agents.find(cluster, request.agent_id)
    kind = (agent.type or "").lower()
    if kind == AgentType.CONVERSATIONAL_V2:
        where = f"Please use the non-streaming execute endpoint: POST /_plugins/_ml/agents/{request.agent_id}/_execute"
        raise status_error(400, f"V2 agents (CONVERSATIONAL_V2) do not support streaming. {where}")
    if agent.llm is not None:
        models.find(cluster, agent.llm.model_id)
    # Other agents were seen to answer nothing at all.
    return _stream(_executed(cluster, request, agent) if kind in TALK else _nothing())


async def _nothing(frames: Iterable[bytes] = ()) -> AsyncGenerator[bytes]:
    for told in frames:
        yield told


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
        given, voice = _asked(cluster, request)
        _put(frames, voice.begin())
        parameters = conversations.with_question(cluster, agent, given)
        conversation = conversations.begin(cluster, agent, parameters)
        if isinstance(voice, Words):
            voice.names = conversation.names if conversation else dict.fromkeys(conversations.NAMES, "")
        await chat(cluster, agent, parameters, conversation, _Listener(cluster, voice, frames))
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

    async def ask(self, model_id: str, parameters: Mapping[str, str]) -> Mapping[str, Any]:
        """The whole answer, as a model gives it that does not stream."""
        words = ""
        try:
            async for piece in pieces(self.cluster, model_id, parameters):
                if isinstance(piece, Said):
                    words += piece.words
                if not isinstance(piece, Ended):
                    _put(self.frames, self.voice.tell(piece))
                if isinstance(piece, Called):
                    return _answer({"role": "assistant", **piece.message}, "tool_calls")
        except Refused as error:
            raise _ModelFailed(_reason(error)) from error
        return _answer({"role": "assistant", "content": words}, "stop")

    def give(self, call_id: str, result: str) -> None:
        """Tell what a tool gave."""
        _put(self.frames, self.voice.give(call_id, result))


def _answer(message: Mapping[str, Any], reason: str) -> dict[str, Any]:
    return {"choices": [{"message": message, "finish_reason": reason}]}


def _asked(cluster: Cluster, request: ExecuteAgentStream) -> tuple[dict[str, str], Voice]:
    """What an agent is given, and how it is to answer. A thread of AG-UI is a conversation."""
    if request.parameters is not None:
        return as_text(request.parameters) or {}, Words()
    if any(getattr(request, name) is None for name in NEEDED):
        raise refused(400, "illegal_argument_exception", NO_INPUT)
    if not cluster.settings.flag("ag_ui_enabled"):
        raise refused(500, "illegal_state_exception", NO_AG_UI)
    if not request.messages:
        raise refused(501, "not_emulated", "the emulator does not tell what was said in a thread")
    if request.tools:
        raise refused(501, "not_emulated", "the emulator's agents have no tools of whoever asks")
    said = [message for message in request.messages if message.get("role") == "user"]
    question = _text(said[-1].get("content")) if said else ""
    thread = request.threadId or ""
    return {"memory_id": thread, "question": question}, AgUi(cluster, thread, request.runId or "")


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return "".join(str(block.get("text", "")) for block in content or ())


def _check(cluster: Cluster, request: Request[Any]) -> None:
    if not cluster.streams:
        http = wire.to_http(request)
        words = "The engine does not support HTTP streaming, unable to serve uri"
        raise refused(500, "illegal_state_exception", f"{words} [{http.path}] and method [{http.method}]")
    if not cluster.settings.flag("stream_enabled"):
        raise refused(500, "illegal_state_exception", NO_STREAMS)


def _stream(frames: AsyncGenerator[bytes]) -> Bare:
    return Bare(200, frames, "text/event-stream")


def _put(frames: asyncio.Queue[bytes | None], told: list[bytes]) -> None:
    for one in told:
        frames.put_nowait(one)


def _reason(error: Refused) -> str:
    return str(error.body["error"]["reason"])
