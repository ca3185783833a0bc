"""The events of the AG-UI protocol, as agents stream them.

https://docs.ag-ui.com/concepts/events
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from aiomlcommons.record import Record, record


@record
class AgUiEvent(Record):
    """An event; ``timestamp`` is in epoch milliseconds."""

    type: str = attrs.field(kw_only=True)
    timestamp: int | None = attrs.field(default=None, kw_only=True)


@record
class RunStarted(AgUiEvent):
    """Start of an agent's run."""

    threadId: str
    runId: str


@record
class TextMessageStart(AgUiEvent):
    """Start of a message."""

    messageId: str
    role: str | None = None


@record
class TextMessageContent(AgUiEvent):
    """A chunk of a message's text."""

    messageId: str
    delta: str


@record
class TextMessageEnd(AgUiEvent):
    """End of a message."""

    messageId: str


@record
class ToolCallStart(AgUiEvent):
    """Start of a tool call."""

    toolCallId: str
    toolCallName: str
    parentMessageId: str | None = None


@record
class ToolCallArgs(AgUiEvent):
    """A chunk of a tool call's arguments, as JSON text."""

    toolCallId: str
    delta: str


@record
class ToolCallEnd(AgUiEvent):
    """End of a tool call's arguments."""

    toolCallId: str


@record
class ToolCallResult(AgUiEvent):
    """Result of a tool call."""

    messageId: str
    toolCallId: str
    content: str
    role: str | None = None


@record
class MessagesSnapshot(AgUiEvent):
    """All messages so far."""

    messages: list[Mapping[str, Any]]


@record
class Custom(AgUiEvent):
    """An event specific to the server, such as ``token_usage``."""

    name: str
    value: Any = None


@record
class RunError(AgUiEvent):
    """Failure of an agent's run; a stream raises it as StreamFailed."""

    message: str
    code: str | None = None


@record
class RunFinished(AgUiEvent):
    """End of an agent's run."""

    threadId: str
    runId: str
    result: Any = None


AG_UI: Mapping[str, type[AgUiEvent]] = {
    "RUN_STARTED": RunStarted,
    "TEXT_MESSAGE_START": TextMessageStart,
    "TEXT_MESSAGE_CONTENT": TextMessageContent,
    "TEXT_MESSAGE_END": TextMessageEnd,
    "TOOL_CALL_START": ToolCallStart,
    "TOOL_CALL_ARGS": ToolCallArgs,
    "TOOL_CALL_END": ToolCallEnd,
    "TOOL_CALL_RESULT": ToolCallResult,
    "MESSAGES_SNAPSHOT": MessagesSnapshot,
    "Custom": Custom,
    "RUN_ERROR": RunError,
    "RUN_FINISHED": RunFinished,
}
"""The class of each AG-UI event, by ``type``; any other is an AgUiEvent with its keys in ``extra``."""
