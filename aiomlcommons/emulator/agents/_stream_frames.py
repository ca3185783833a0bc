"""Frames of a server-sent event stream: text of a model, text of an agent, and AG-UI events."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import attrs
import orjson

from aiomlcommons.emulator.agents.chat_streams import Piece, StreamEnd, TextDelta, ToolCall, ToolCallDelta
from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.emulator.connectors.processing import as_doubles


class FrameEncoder(Protocol):
    """Encodes what happens in a stream as frames of server-sent events."""

    def begin(self) -> list[bytes]:
        """Encode the start, before the model is called."""
        ...

    def encode(self, piece: Piece) -> list[bytes]:
        """Encode what the model writes."""
        ...

    def tool_result(self, call_id: str, result: str) -> list[bytes]:
        """Encode the result of a tool."""
        ...

    def model_error(self, message: str) -> list[bytes]:
        """Encode a failure of the model."""
        ...

    def server_error(self, message: str) -> list[bytes]:
        """Encode an error of the server, before the run or during it."""
        ...


def frame(data: Any) -> bytes:
    """Return a server-sent event."""
    return b"data: " + orjson.dumps(data) + b"\n\n"


def error(message: str) -> bytes:
    """Return an error frame as the server writes it, without a JSON library."""
    quoted = message.replace('"', '\\"')
    return f'data: {{"error": "{quoted}"}}\n\n'.encode()


def _text_frame(content: str, *, is_last: bool, names: Mapping[str, str] | None = None) -> bytes:
    output: list[Mapping[str, Any]] = [{"name": name, "result": key} for name, key in (names or {}).items()]
    output.append({"name": "response", "dataAsMap": {"content": content, "is_last": is_last}})
    return frame({"inference_results": [{"output": output}]})


def _json(value: Any) -> str:
    return orjson.dumps(as_doubles(value)).decode()


@attrs.define
class TextFrames:
    """Frames of text, with the ids of the conversation where an agent writes them."""

    names: Mapping[str, str] | None = None

    def begin(self) -> list[bytes]:
        """Return no frames."""
        return []

    def encode(self, piece: Piece) -> list[bytes]:
        """Return a frame for each piece; tool calls are text that holds JSON."""
        match piece:
            case TextDelta(text):
                return [self._say(text)]
            case ToolCallDelta(calls):
                return [self._say(_json(calls))]
            case ToolCall(_, message):
                return [self._say(_json({"choices": [{"message": message, "finish_reason": "tool_calls"}]}))]
            case StreamEnd():
                return [_text_frame("", is_last=True, names=self.names)]

    def tool_result(self, call_id: str, result: str) -> list[bytes]:  # noqa: ARG002 - text frames name no call
        """Return the result as text."""
        return [self._say(result)]

    def model_error(self, message: str) -> list[bytes]:
        """Return an error frame for a model; an agent sends the error as its last text, with empty ids."""
        if self.names is None:
            return [error(message)]
        return [_text_frame(message, is_last=True, names=dict.fromkeys(self.names, ""))]

    def server_error(self, message: str) -> list[bytes]:
        """Return an error frame."""
        return [error(message)]

    def _say(self, text: str) -> bytes:
        return _text_frame(text, is_last=False, names=self.names)


@attrs.define
class AgUiFrames:
    """The AG-UI events of a run."""

    cluster: Cluster
    thread: str
    run: str
    snapshot: bool = False
    message: str | None = None
    call_open: bool = False

    def begin(self) -> list[bytes]:
        """Return the event RUN_STARTED, and the snapshot of messages if wanted."""
        started = [self._event("RUN_STARTED", **self._ids)]
        # Conversation memory has no messages in the format of a snapshot.
        return [*started, self._event("MESSAGES_SNAPSHOT", messages=[])] if self.snapshot else started

    def encode(self, piece: Piece) -> list[bytes]:
        """Return the start, content and end events of messages and calls. The server sends RUN_FINISHED twice."""
        match piece:
            case TextDelta(text):
                return [*self._start(), self._event("TEXT_MESSAGE_CONTENT", messageId=self.message, delta=text)]
            case ToolCallDelta(calls):
                return [*self._stop(), *self._calling(calls)]
            case ToolCall(call_id, _):
                self.call_open = False
                return [self._event("TOOL_CALL_END", toolCallId=call_id)]
            case StreamEnd():
                return [*self._stop(), *self._finish(), *self._finish()]

    def tool_result(self, call_id: str, result: str) -> list[bytes]:
        """Return the event TOOL_CALL_RESULT."""
        where = {"messageId": _message_id(), "toolCallId": call_id}
        return [self._event("TOOL_CALL_RESULT", **where, content=result, role="tool")]

    def model_error(self, message: str) -> list[bytes]:
        """Return RUN_ERROR, which RUN_FINISHED still follows."""
        return [self._event("RUN_ERROR", message=f"Unexpected chunk: {message}"), *self._finish()]

    def server_error(self, message: str) -> list[bytes]:
        """Return RUN_ERROR, without RUN_FINISHED."""
        return [self._event("RUN_ERROR", message=message)]

    @property
    def _ids(self) -> dict[str, str]:
        return {"threadId": self.thread, "runId": self.run}

    def _start(self) -> list[bytes]:
        if self.message is not None:
            return []
        self.message = _message_id()
        return [self._event("TEXT_MESSAGE_START", messageId=self.message, role="assistant")]

    def _stop(self) -> list[bytes]:
        message, self.message = self.message, None
        return [] if message is None else [self._event("TEXT_MESSAGE_END", messageId=message)]

    def _finish(self) -> list[bytes]:
        return [self._event("RUN_FINISHED", **self._ids)]

    def _calling(self, calls: Sequence[Mapping[str, Any]]) -> list[bytes]:
        frames: list[bytes] = []
        for call in calls:
            function = call.get("function") or {}
            if "name" in function and not self.call_open:
                self.call_open, self._call_id = True, call.get("id", "")
                frames.append(self._event("TOOL_CALL_START", toolCallId=self._call_id, toolCallName=function["name"]))
            if "arguments" in function:
                frames.append(self._event("TOOL_CALL_ARGS", toolCallId=self._call_id, delta=function["arguments"]))
        return frames

    _call_id: str = ""

    def _event(self, kind: str, **fields: Any) -> bytes:
        return frame({"type": kind, "timestamp": self.cluster.now(), **fields})


def _message_id() -> str:
    return f"msg_{time.monotonic_ns()}"
