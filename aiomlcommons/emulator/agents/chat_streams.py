"""Streamed chat completions of a provider, parsed into text deltas, tool calls and the end of the stream."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, TypeAlias

import attrs
import orjson

from aiomlcommons.api.common import FunctionName
from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.emulator.connectors import remote
from aiomlcommons.emulator.errors import refused, status_error
from aiomlcommons.emulator.json_paths import look_up
from aiomlcommons.emulator.models import model_store, predict

OPENAI_CHAT = "openai/v1/chat/completions"
Call: TypeAlias = Mapping[str, Any]


@attrs.frozen
class TextDelta:
    """A piece of text."""

    text: str


@attrs.frozen
class ToolCallDelta:
    """Fragments of a tool call."""

    calls: Sequence[Call]


@attrs.frozen
class ToolCall:
    """A complete tool call, assembled from its fragments."""

    call_id: str
    message: Mapping[str, Any]


@attrs.frozen
class StreamEnd:
    """The end of the stream."""


Piece: TypeAlias = TextDelta | ToolCallDelta | ToolCall | StreamEnd


async def stream_chat(cluster: Cluster, model_id: str, given: Mapping[str, Any]) -> AsyncGenerator[Piece]:
    """Call a remote model and yield what it streams.

    Raises ProviderFailed where the stream fails or is interrupted, and Refused where the model cannot be called. If the
    provider closes the stream without an end event, this waits forever, as the server does.
    """
    model = model_store.find(cluster, model_id)
    if model.is_enabled is False:
        raise status_error(403, "Model is disabled.")
    predict.check_deployed(cluster, model_id, model)
    if given.get("_llm_interface") != OPENAI_CHAT:
        raise refused(500, "m_l_exception", "Fail to execute streaming")
    call = _Assembled()
    with cluster.counts.counted(FunctionName.REMOTE, "predict", model_id):
        async for data in remote.stream(cluster, model_id, model, given):
            for piece in _read(data, call):
                yield piece
                if isinstance(piece, ToolCall | StreamEnd):
                    return
    await wait_forever()


async def wait_forever() -> None:
    """Wait forever, as the server does for what it does not detect."""
    await asyncio.Event().wait()


def _read(data: str, call: _Assembled) -> list[Piece]:
    if data == "[DONE]":
        return [StreamEnd()]
    choice = _choice(data)
    # Text in the same event as the end is lost on a real server too.
    if choice.get("finish_reason") == "stop":
        return [StreamEnd()]
    found: list[Piece] = []
    delta = choice.get("delta") or {}
    if delta.get("content"):
        found.append(TextDelta(delta["content"]))
    if delta.get("tool_calls"):
        call.add(delta["tool_calls"])
        found.append(ToolCallDelta(delta["tool_calls"]))
    if choice.get("finish_reason") == "tool_calls" and call.begun:
        found.append(call.assemble())
    return found


def _choice(data: str) -> Mapping[str, Any]:
    try:
        found = look_up(orjson.loads(data), "$.choices[0]")
    except orjson.JSONDecodeError:
        return {}  # not a chunk: skipped
    return found if isinstance(found, Mapping) else {}


@attrs.define
class _Assembled:
    begun: bool = False
    call_id: str = ""
    name: str = ""
    arguments: str = ""

    def add(self, calls: Sequence[Call]) -> None:
        self.begun = True
        for call in calls:
            self.call_id = call.get("id") or self.call_id
            function = call.get("function") or {}
            self.name = function.get("name") or self.name
            self.arguments += function.get("arguments") or ""

    def assemble(self) -> ToolCall:
        function = {"arguments": self.arguments or "{}", "name": self.name}
        return ToolCall(self.call_id, {"tool_calls": [{"function": function, "type": "function", "id": self.call_id}]})
