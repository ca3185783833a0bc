"""Conversation memory: handlers of conversations, and the storage of their messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

import orjson

from aiomlcommons.api.common import Hits, WriteResult
from aiomlcommons.api.memory import (
    CreateMemory,
    DeleteMemory,
    GetMemory,
    ListMemories,
    Memory,
    MemoryCreated,
    MemoryDeleted,
    MemoryMessage,
    MemoryPage,
    SearchMemories,
    UpdateMemory,
)
from aiomlcommons.emulator.cluster import Cluster, alter
from aiomlcommons.emulator.errors import NO_CONVERSATIONS, Refused, illegal, refused
from aiomlcommons.emulator.querying import records
from aiomlcommons.emulator.rate_limits import CALLER
from aiomlcommons.emulator.registry import handles

T = TypeVar("T")


@handles(CreateMemory)
async def create(cluster: Cluster, request: CreateMemory) -> MemoryCreated:
    """Create a conversation; without a name the other fields are ignored, as on the server."""
    check_enabled(cluster)
    if request.name is None:
        return MemoryCreated(memory_id=create_memory(cluster))
    info = texts(request.additional_info)
    fields = {"application_type": request.application_type, "additional_info": info}
    return MemoryCreated(memory_id=create_memory(cluster, request.name, **fields))


@handles(ListMemories)
async def list_memories(cluster: Cluster, request: ListMemories) -> MemoryPage:
    """Return a page of conversations, the latest change first."""
    check_enabled(cluster)
    documents = sorted(cluster.memories.documents.values(), key=lambda document: document.seq_no, reverse=True)
    found = [_shown(document.id, document.source) for document in documents]
    page, following = page_of(found, request.next_token, request.max_results)
    return MemoryPage(memories=page, next_token=following)


@handles(GetMemory)
async def get(cluster: Cluster, request: GetMemory) -> Memory:
    """Return a conversation; 404 where there is none."""
    check_enabled(cluster)
    return _shown(request.memory_id, find_memory(cluster, request.memory_id))


@handles(UpdateMemory)
async def update(cluster: Cluster, request: UpdateMemory) -> WriteResult:
    """Change the name and merge additional information."""
    check_enabled(cluster)
    memory = find_memory(cluster, request.memory_id)
    info = merged(memory.additional_info, request.additional_info)
    name = memory.name if request.name is None else request.name
    cluster.memories.change(request.memory_id, name=name, additional_info=info, updated_time=iso_now(cluster))
    return cluster.memories.updated(request.memory_id)


@handles(DeleteMemory)
async def delete(cluster: Cluster, request: DeleteMemory) -> MemoryDeleted:
    """Delete a conversation and its messages. Their traces stay, as on the server."""
    check_enabled(cluster)
    find_memory(cluster, request.memory_id)
    for message in history(cluster, request.memory_id):
        cluster.messages.delete(message.message_id or "")
    cluster.memories.delete(request.memory_id)
    return MemoryDeleted(success=True)


@handles(SearchMemories)
async def find_all(cluster: Cluster, request: SearchMemories) -> Hits[Memory]:
    """Search conversations."""
    check_enabled(cluster)
    return records.search(cluster.memories, with_query(request.body), cluster.node_id)


def create_memory(cluster: Cluster, name: str = "", **fields: Any) -> str:
    """Create a conversation; return its id."""
    memory_id, now = cluster.new_id(), iso_now(cluster)
    memory = Memory(create_time=now, updated_time=now, name=name, user=CALLER.get())
    cluster.memories.put(memory_id, alter(memory, **fields))
    return memory_id


def add_message(
    cluster: Cluster, memory_id: str, *, input: str | None = None, response: str | None = None, **fields: Any
) -> str:
    """Add a message to a conversation; return its id. With ``parent_message_id`` and ``trace_number`` it is a trace.

    Raises Refused where there is no such conversation.
    """
    find_memory(cluster, memory_id)
    message_id, now = cluster.new_id(), iso_now(cluster)
    message = MemoryMessage(memory_id=memory_id, create_time=now, updated_time=now, input=input, response=response)
    cluster.messages.put(message_id, alter(message, **fields))
    cluster.memories.change(memory_id, updated_time=now)
    return message_id


def history(cluster: Cluster, memory_id: str) -> list[MemoryMessage]:
    """Return the messages of a conversation without traces, oldest first."""
    return [one for one in _messages(cluster) if one.memory_id == memory_id and one.trace_number is None]


def traces(cluster: Cluster, message_id: str) -> list[MemoryMessage]:
    """Return the traces of a message, ordered by their number."""
    found = [one for one in _messages(cluster) if one.parent_message_id == message_id and one.trace_number is not None]
    return sorted(found, key=lambda one: one.trace_number or 0)


def find_memory(cluster: Cluster, memory_id: str) -> Memory:
    """Return a conversation; raise Refused where there is none."""
    memory = cluster.memories.get(memory_id)
    if memory is None:
        raise _missing(f"Memory [{memory_id}] not found")
    return memory


def find_message(cluster: Cluster, message_id: str) -> MemoryMessage:
    """Return a message; raise Refused where there is none."""
    message = cluster.messages.get(message_id)
    if message is None:
        raise _missing(f"Message [{message_id}] not found")
    return message


def _shown(memory_id: str, memory: Memory) -> Memory:
    # The application type is returned by searches only.
    return alter(memory, memory_id=memory_id, application_type=None)


def _messages(cluster: Cluster) -> list[MemoryMessage]:
    return [alter(document.source, message_id=document.id) for document in cluster.messages.documents.values()]


def iso_now(cluster: Cluster) -> str:
    """Return the current time in the format of conversation memory."""
    return datetime.fromtimestamp(cluster.clock(), UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def page_of(found: Sequence[T], start: int | None, size: int | None) -> tuple[list[T], int | None]:
    """Return a page and the offset of the next one: the server announces a next page after every full page."""
    start, size = start or 0, 10 if size is None else size
    if start < 0 or size < 0:
        name, value = ("from", start) if start < 0 else ("size", size)
        raise illegal(f"[{name}] parameter cannot be negative, found [{value}]")
    page = list(found[start : start + size])
    return page, start + size if len(page) == size else None


def with_query(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a search body; raise Refused without a query, which the server wraps in its own."""
    if not body.get("query"):
        raise illegal("inner bool query clause cannot be null")
    return body


def texts(given: Mapping[str, Any] | None) -> dict[str, str] | None:
    """Return values as strings: the server stores them as such."""
    if given is None:
        return None
    return {key: value if isinstance(value, str) else orjson.dumps(value).decode() for key, value in given.items()}


def merged(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Return additional information after an update: new keys are merged into the old ones."""
    return old if new is None else {**(old or {}), **new}


def _missing(reason: str) -> Refused:
    return refused(404, "resource_not_found_exception", reason)


def check_enabled(cluster: Cluster) -> None:
    """Raise Refused where conversation memory is disabled."""
    if not cluster.settings.flag("memory_feature_enabled"):
        raise refused(500, "exception", NO_CONVERSATIONS)
