"""Replay a recorded stream: each frame to its event and back, errors raised, truncation detected.

Frames and errors are parsed here a second time, in the simplest way, so that the package's parser is checked against an
independent one.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson

from aiomlcommons.endpoint import Pieces
from aiomlcommons.errors import DecodeError, MLCommonsError, StreamCut, StreamFailed
from aiomlcommons.http import HttpResponse
from aiomlcommons.stream import Events, StreamRequest
from aiomlcommons.wire import convert
from tests.wire.compare import Difference, no_extras, same

EVENTS = "text/event-stream"
SIZES = (1, 7, 1 << 30)
"""Bytes in each piece: the network splits a stream anywhere."""


def replay_stream(request: StreamRequest[Any], recorded: HttpResponse) -> None:
    """Raise Difference where the package decodes a recorded stream differently from how it was written."""
    for size in SIZES:
        events, end = asyncio.run(_read(request, [*_pieces(recorded.body, size)]))
        if recorded.content_type == EVENTS:
            _judge(list(_frames(recorded.body)), events, end)
        elif not isinstance(end, DecodeError) or not recorded.body.startswith(end.response.body):
            raise Difference(f"{recorded.content_type or 'an answer without a type'} was read as a stream: {end!r}")


def _pieces(body: bytes, size: int) -> Iterator[bytes]:
    return (body[start : start + size] for start in range(0, len(body), size))


async def _read(request: StreamRequest[Any], pieces: Sequence[bytes]) -> tuple[list[Any], MLCommonsError | None]:
    rest = iter(pieces)

    async def one() -> bytes:
        return next(rest, b"")

    found: list[Any] = []
    give: Pieces = one
    try:
        async for event in Events(request, give):
            found.append(event)
    except MLCommonsError as error:
        return found, error
    return found, None


def _frames(body: bytes) -> Iterator[str]:
    """Return the data of each complete frame."""
    *whole, _ = re.split(r"\r?\n\r?\n", body.decode())
    for frame in whole:
        if data := [line.removeprefix("data:").lstrip(" ") for line in frame.splitlines() if line.startswith("data:")]:
            yield "\n".join(data)


def _judge(frames: Sequence[str], events: Sequence[Any], end: MLCommonsError | None) -> None:
    words = [_error(frame) for frame in frames]
    bad = next((index for index, error in enumerate(words) if error is not None), None)
    good = frames if bad is None else frames[:bad]
    if len(events) != len(good):
        raise Difference(f"{len(events)} events were read of {len(good)} frames; the end was {end!r}")
    for index, (frame, event) in enumerate(zip(good, events, strict=True)):
        no_extras(event, f"event {index}")
        same(orjson.loads(frame), convert.unstructure(event, type(event)), f"event {index}")
    if bad is not None:
        _same_end(end, StreamFailed, words[bad] or "")
    else:
        _same_end(end, None if good and _is_last(orjson.loads(good[-1])) else StreamCut, "")


def _same_end(end: MLCommonsError | None, expected: type[MLCommonsError] | None, words: str) -> None:
    if type(end) is not (expected or type(None)):
        raise Difference(f"the stream ended with {end!r}, not {expected and expected.__name__}")
    if words not in str(end):
        raise Difference(f"the stream ended with {end!r}, which does not say {words!r}")


def _error(frame: str) -> str | None:
    """Return the message of a frame that reports an error, or None."""
    try:
        data = orjson.loads(frame)
    except ValueError:
        return frame
    if not isinstance(data, dict):
        return frame
    if "error" in data:
        error = data["error"]
        return str(error["reason"] if isinstance(error, dict) and "reason" in error else error)
    if data.get("type") == "RUN_ERROR":
        return str(data["message"])
    # An agent that only reports a provider's error has empty memory and interaction ids.
    said = _response(data)
    is_nobody = all(data_of.get("result") == "" for data_of in _tensors(data, "memory_id", "parent_interaction_id"))
    is_agent = bool(_tensors(data, "memory_id"))
    return str(said["content"]) if is_agent and is_nobody and said.get("is_last") and said.get("content") else None


def _is_last(data: Mapping[str, Any]) -> bool:
    return data.get("type") == "RUN_FINISHED" or bool(_response(data).get("is_last"))


def _response(data: Mapping[str, Any]) -> Mapping[str, Any]:
    return next((tensor.get("dataAsMap", {}) for tensor in _tensors(data, "response")), {})


def _tensors(data: Mapping[str, Any], *names: str) -> list[Mapping[str, Any]]:
    outputs = (tensor for result in data.get("inference_results", ()) for tensor in result.get("output") or ())
    return [tensor for tensor in outputs if tensor.get("name") in names]
