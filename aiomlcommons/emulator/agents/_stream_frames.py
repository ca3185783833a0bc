"""The frames in which a stream is told: words of a model, words of an agent, and AG-UI events."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import attrs
import orjson

from aiomlcommons.emulator.agents.chat_streams import Called, Calling, Ended, Piece, Said
from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.emulator.connectors.processing import as_doubles


class Voice(Protocol):
    """How a stream is told, frame by frame."""

    def begin(self) -> list[bytes]:
        """Before anything was asked."""
        ...

    def tell(self, piece: Piece) -> list[bytes]:
        """What the model writes."""
        ...

    def give(self, call_id: str, result: str) -> list[bytes]:
        """What a tool gave."""
        ...

    def fail(self, words: str) -> list[bytes]:
        """The model failed."""
        ...

    def refuse(self, words: str) -> list[bytes]:
        """The server does not begin, or does not go on."""
        ...


def frame(data: Any) -> bytes:
    """A server-sent event."""
    return b"data: " + orjson.dumps(data) + b"\n\n"


def error(words: str) -> bytes:
    """An error as the server puts it together, by hand."""
    quoted = words.replace('"', '\\"')
    return f'data: {{"error": "{quoted}"}}\n\n'.encode()


def _words(content: str, *, is_last: bool, names: Mapping[str, str] | None = None) -> bytes:
    output: list[Mapping[str, Any]] = [{"name": name, "result": key} for name, key in (names or {}).items()]
    output.append({"name": "response", "dataAsMap": {"content": content, "is_last": is_last}})
    return frame({"inference_results": [{"output": output}]})


def _json(value: Any) -> str:
    return orjson.dumps(as_doubles(value)).decode()


@attrs.define
class Words:
    """Words, and the ids of the conversation if an agent says them."""

    names: Mapping[str, str] | None = None

    def begin(self) -> list[bytes]:
        """Nothing."""
        return []

    def tell(self, piece: Piece) -> list[bytes]:
        """A frame for each piece; calls are told as JSON."""
        match piece:
            case Said(words):
                return [self._say(words)]
            case Calling(calls):
                return [self._say(_json(calls))]
            case Called(_, message):
                return [self._say(_json({"choices": [{"message": message, "finish_reason": "tool_calls"}]}))]
            case Ended():
                return [_words("", is_last=True, names=self.names)]

    def give(self, call_id: str, result: str) -> list[bytes]:  # noqa: ARG002 - words name no call
        """As words."""
        return [self._say(result)]

    def fail(self, words: str) -> list[bytes]:
        """A model's error is an error; an agent tells it as its last words, and forgets its ids."""
        if self.names is None:
            return [error(words)]
        return [_words(words, is_last=True, names=dict.fromkeys(self.names, ""))]

    def refuse(self, words: str) -> list[bytes]:
        """An error."""
        return [error(words)]

    def _say(self, words: str) -> bytes:
        return _words(words, is_last=False, names=self.names)


@attrs.define
class AgUi:
    """The events of a run."""

    cluster: Cluster
    thread: str
    run: str
    snapshot: bool = False
    message: str | None = None
    called: bool = False

    def begin(self) -> list[bytes]:
        """The run started."""
        started = [self._event("RUN_STARTED", **self._ids)]
        # Conversation memory keeps no messages in the form that a snapshot shows.
        return [*started, self._event("MESSAGES_SNAPSHOT", messages=[])] if self.snapshot else started

    def tell(self, piece: Piece) -> list[bytes]:
        """Messages and calls have a beginning and an end. The server tells the end of the run twice."""
        match piece:
            case Said(words):
                return [*self._start(), self._event("TEXT_MESSAGE_CONTENT", messageId=self.message, delta=words)]
            case Calling(calls):
                return [*self._stop(), *self._calling(calls)]
            case Called(call_id, _):
                self.called = False
                return [self._event("TOOL_CALL_END", toolCallId=call_id)]
            case Ended():
                return [*self._stop(), *self._finish(), *self._finish()]

    def give(self, call_id: str, result: str) -> list[bytes]:
        """A message of a tool."""
        where = {"messageId": _message_id(), "toolCallId": call_id}
        return [self._event("TOOL_CALL_RESULT", **where, content=result, role="tool")]

    def fail(self, words: str) -> list[bytes]:
        """An error that is told as one, and an end all the same."""
        return [self._event("RUN_ERROR", message=f"Unexpected chunk: {words}"), *self._finish()]

    def refuse(self, words: str) -> list[bytes]:
        """An error, and no end."""
        return [self._event("RUN_ERROR", message=words)]

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
        told: list[bytes] = []
        for call in calls:
            function = call.get("function") or {}
            if "name" in function and not self.called:
                self.called, self._call_id = True, call.get("id", "")
                told.append(self._event("TOOL_CALL_START", toolCallId=self._call_id, toolCallName=function["name"]))
            if "arguments" in function:
                told.append(self._event("TOOL_CALL_ARGS", toolCallId=self._call_id, delta=function["arguments"]))
        return told

    _call_id: str = ""

    def _event(self, kind: str, **fields: Any) -> bytes:
        return frame({"type": kind, "timestamp": self.cluster.now(), **fields})


def _message_id() -> str:
    return f"msg_{time.monotonic_ns()}"
