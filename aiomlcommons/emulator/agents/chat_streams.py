"""A chat as its provider writes it: words, the pieces of a tool's call, and the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, TypeAlias

import attrs
import orjson

from aiomlcommons.api.common import FunctionName
from aiomlcommons.emulator.agents._json_paths import look_up
from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.emulator.connectors import remote
from aiomlcommons.emulator.errors import refused, status_error
from aiomlcommons.emulator.models import model_store, predict

SPOKEN = "openai/v1/chat/completions"
Call: TypeAlias = Mapping[str, Any]


@attrs.frozen
class Said:
    """Some words."""

    words: str


@attrs.frozen
class Calling:
    """Pieces of the call of a tool."""

    calls: Sequence[Call]


@attrs.frozen
class Called:
    """The call that the pieces made."""

    call_id: str
    message: Mapping[str, Any]


@attrs.frozen
class Ended:
    """There is no more to come."""


Piece: TypeAlias = Said | Calling | Called | Ended


async def pieces(cluster: Cluster, model_id: str, given: Mapping[str, Any]) -> AsyncGenerator[Piece]:
    """What a remote model writes.

    Raises ProviderFailed where it fails or breaks off, and Refused where it cannot be asked. A provider that stops
    without a word of the end is waited for, as the server does.
    """
    model = model_store.find(cluster, model_id)
    if model.is_enabled is False:
        raise status_error(403, "Model is disabled.")
    predict.check_deployed(cluster, model_id, model)
    if given.get("_llm_interface") != SPOKEN:
        raise refused(500, "m_l_exception", "Fail to execute streaming")
    call = _Assembled()
    with cluster.counts.counted(FunctionName.REMOTE, "predict", model_id):
        async for data in remote.stream(cluster, model_id, model, given):
            for piece in _read(data, call):
                yield piece
                if isinstance(piece, Called | Ended):
                    return
    await silence()


async def silence() -> None:
    """Wait for ever: what the server does not notice, it waits for."""
    await asyncio.Event().wait()


def _read(data: str, call: _Assembled) -> list[Piece]:
    if data == "[DONE]":
        return [Ended()]
    choice = _choice(data)
    # Words that come together with the end are lost on a real server too.
    if choice.get("finish_reason") == "stop":
        return [Ended()]
    found: list[Piece] = []
    delta = choice.get("delta") or {}
    if delta.get("content"):
        found.append(Said(delta["content"]))
    if delta.get("tool_calls"):
        call.add(delta["tool_calls"])
        found.append(Calling(delta["tool_calls"]))
    if choice.get("finish_reason") == "tool_calls" and call.begun:
        found.append(call.whole())
    return found


def _choice(data: str) -> Mapping[str, Any]:
    try:
        found = look_up(orjson.loads(data), "$.choices[0]")
    except orjson.JSONDecodeError:
        return {}  # what is no chunk is passed over
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

    def whole(self) -> Called:
        function = {"arguments": self.arguments or "{}", "name": self.name}
        return Called(self.call_id, {"tool_calls": [{"function": function, "type": "function", "id": self.call_id}]})
