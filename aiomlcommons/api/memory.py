"""Conversation memory: memories, their messages, and the traces of a message. Times are ISO 8601 text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY
from typing import Any, ClassVar

from aiomlcommons.api.common import Hits, Listed, WriteResult
from aiomlcommons.api.search import searches
from aiomlcommons.endpoint import Request, endpoint
from aiomlcommons.namespace import Namespace, op
from aiomlcommons.record import Null, Record, as_body, in_query, record


@record
class Memory(Record):
    """A conversation."""

    _first: ClassVar = ("name", "memory_id", "create_time", "updated_time")

    memory_id: str | None = None
    create_time: str | None = None
    updated_time: str | None = None
    name: str | None = None
    user: str | None = None
    application_type: str | None = None
    additional_info: Mapping[str, Any] | None = None


@record
class MemoryMessage(Record):
    """A question with its answer, or a trace: a step of finding the answer, with a parent message and a number.

    For a message that is no trace, searches return both of these as ``NULL``, which is falsy like None.
    """

    _first: ClassVar = ("message_id", "input", "response", "create_time")

    memory_id: str | None = None
    message_id: str | None = None
    create_time: str | None = None
    updated_time: str | None = None
    input: str | None = None
    prompt_template: str | None = None
    response: str | None = None
    origin: str | None = None
    additional_info: Mapping[str, Any] | None = None
    parent_message_id: str | Null | None = None
    trace_number: int | Null | None = None


@record
class MemoryCreated(Record):
    """The id of a new conversation."""

    memory_id: str


@record
class MessageCreated(Record):
    """The id of a new message."""

    message_id: str


@record
class MemoryDeleted(Record):
    """The response to deleting a conversation."""

    success: bool


@record
class MemoryPage(Record, Listed[Memory]):
    """A page of conversations; ``next_token`` is None on the last one."""

    memories: list[Memory]
    next_token: int | None = None

    @property
    def _items(self) -> Sequence[Memory]:
        return self.memories


@record
class MessagePage(Record, Listed[MemoryMessage]):
    """A page of messages; ``next_token`` is None on the last one."""

    messages: list[MemoryMessage]
    next_token: int | None = None

    @property
    def _items(self) -> Sequence[MemoryMessage]:
        return self.messages


@record
class TracePage(Record, Listed[MemoryMessage]):
    """A page of traces; ``next_token`` is None on the last one."""

    traces: list[MemoryMessage]
    next_token: int | None = None

    @property
    def _items(self) -> Sequence[MemoryMessage]:
        return self.traces


@endpoint("POST /_plugins/_ml/memory", since="2.12", newer={"2.17": ("additional_info",)})
class CreateMemory(Request[MemoryCreated]):
    """Create a conversation. Without ``name`` the server ignores the other fields.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/memory-apis/create-memory/
    """

    name: str | None = None
    _: KW_ONLY
    application_type: str | None = None
    additional_info: Mapping[str, Any] | None = None


@endpoint("GET /_plugins/_ml/memory", since="2.12")
class ListMemories(Request[MemoryPage]):
    """List conversations by page: ``max_results`` (default 10) from offset ``next_token`` (default 0).

    https://docs.opensearch.org/latest/ml-commons-plugin/api/memory-apis/get-memory/
    """

    _: KW_ONLY
    max_results: int | None = in_query(default=None)
    next_token: int | None = in_query(default=None)


@endpoint("GET /_plugins/_ml/memory/{memory_id}", since="2.12")
class GetMemory(Request[Memory]):
    """Get a conversation.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/memory-apis/get-memory/
    """

    memory_id: str


@endpoint("PUT /_plugins/_ml/memory/{memory_id}", since="2.12", needs_body=True, newer={"2.17": ("additional_info",)})
class UpdateMemory(Request[WriteResult]):
    """Update a conversation's name or additional information; the server ignores anything else.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/memory-apis/update-memory/
    """

    memory_id: str
    _: KW_ONLY
    name: str | None = None
    additional_info: Mapping[str, Any] | None = None


@endpoint("DELETE /_plugins/_ml/memory/{memory_id}", since="2.12")
class DeleteMemory(Request[MemoryDeleted]):
    """Delete a conversation with its messages.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/memory-apis/delete-memory/
    """

    memory_id: str


@endpoint("POST /_plugins/_ml/memory/_search", since="2.12", also=["GET /_plugins/_ml/memory/_search"], repeatable=True)
class SearchMemories(Request[Hits[Memory]]):
    """Search the conversations with a query DSL body.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/memory-apis/search-memory/
    """

    body: Mapping[str, Any] = as_body(factory=dict)


@endpoint("POST /_plugins/_ml/memory/{memory_id}/messages", since="2.12", needs_body=True)
class CreateMessage(Request[MessageCreated]):
    """Add a message to a conversation, or with ``parent_message_id`` and ``trace_number`` a trace to a message.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/memory-apis/create-message/
    """

    memory_id: str
    _: KW_ONLY
    input: str | None = None
    prompt_template: str | None = None
    response: str | None = None
    origin: str | None = None
    additional_info: Mapping[str, Any] | None = None
    parent_message_id: str | None = None
    trace_number: int | None = None


@endpoint("GET /_plugins/_ml/memory/{memory_id}/messages", since="2.12")
class ListMessages(Request[MessagePage]):
    """List a conversation's messages by page: ``max_results`` (default 10) from offset ``next_token``.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/memory-apis/get-message/
    """

    memory_id: str
    _: KW_ONLY
    max_results: int | None = in_query(default=None)
    next_token: int | None = in_query(default=None)


@endpoint("GET /_plugins/_ml/memory/message/{message_id}", since="2.12")
class GetMessage(Request[MemoryMessage]):
    """Get a message.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/memory-apis/get-message/
    """

    message_id: str


@endpoint("PUT /_plugins/_ml/memory/message/{message_id}", since="2.12", needs_body=True)
class UpdateMessage(Request[WriteResult]):
    """Update a message's response or additional information; the server ignores anything else.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/memory-apis/update-message/
    """

    message_id: str
    _: KW_ONLY
    response: str | None = None
    additional_info: Mapping[str, Any] | None = None


@endpoint("GET /_plugins/_ml/memory/message/{message_id}/traces", since="2.12")
class ListTraces(Request[TracePage]):
    """List a message's traces by page: ``max_results`` (default 10) from offset ``next_token``.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/memory-apis/get-message-traces/
    """

    message_id: str
    _: KW_ONLY
    max_results: int | None = in_query(default=None)
    next_token: int | None = in_query(default=None)


@endpoint(
    "POST /_plugins/_ml/memory/{memory_id}/_search",
    since="2.12",
    also=["GET /_plugins/_ml/memory/{memory_id}/_search"],
    repeatable=True,
)
class SearchMessages(Request[Hits[MemoryMessage]]):
    """Search a conversation's messages with a query DSL body.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/memory-apis/search-message/
    """

    memory_id: str
    body: Mapping[str, Any] = as_body(factory=dict)


class Memories(Namespace):
    """``ml.memory``: conversations, their messages, and the traces of a message."""

    create = op(CreateMemory)
    list = op(ListMemories)
    get = op(GetMemory)
    update = op(UpdateMemory)
    delete = op(DeleteMemory)
    search = searches(SearchMemories)
    create_message = op(CreateMessage)
    list_messages = op(ListMessages)
    get_message = op(GetMessage)
    update_message = op(UpdateMessage)
    list_traces = op(ListTraces)
    search_messages = searches(SearchMessages)
