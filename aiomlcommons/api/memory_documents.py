"""Documents of a memory container: sessions, working and long-term memories, and their history."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from aiomlcommons.api.memory_containers import StrategyType
from aiomlcommons.record import Record, record

MemoryType: TypeAlias = Literal["sessions", "working", "long-term", "history"]


@record
class MessageInput(Record):
    """A message: ``role``, and content blocks such as ``{"type": "text", "text": "..."}``."""

    role: str | None = None
    content: list[Mapping[str, Any]] | None = None


@record
class WorkingMemory(Record):
    """A working memory: messages or data, as added. Only searches return ``session_id``, since 3.8."""

    payload_type: str
    infer: bool
    memory_container_id: str | None = None
    session_id: str | None = None
    messages: list[MessageInput] | None = None
    message_id: int | None = None
    binary_data: str | None = None
    structured_data: Mapping[str, Any] | None = None
    structured_data_blob: Mapping[str, Any] | None = None
    namespace: Mapping[str, str] | None = None
    namespace_size: int | Mapping[str, Any] | None = None
    metadata: Mapping[str, Any] | None = None
    tags: Mapping[str, Any] | None = None
    created_time: int | None = None
    last_updated_time: int | None = None
    owner_id: str | None = None
    checkpoint_id: str | None = None
    tenant_id: str | None = None
    pinned: bool | None = None


@record
class LongTermMemory(Record):
    """A long-term memory, extracted from messages by a model. ``memory_embedding`` is a vector or token weights."""

    memory: str
    strategy_type: StrategyType | str
    tags: Mapping[str, Any] | None = None
    namespace: Mapping[str, str] | None = None
    namespace_size: int | Mapping[str, Any] | None = None
    created_time: int | None = None
    last_updated_time: int | None = None
    memory_embedding: Any = None
    owner_id: str | None = None
    memory_container_id: str | None = None
    strategy_id: str | None = None
    tenant_id: str | None = None
    pinned: bool | None = None


@record
class MemoryHistory(Record):
    """A change of a long-term memory: ``action`` is ``ADD``, ``UPDATE``, ``DELETE`` or ``NONE``."""

    memory_id: str
    action: str
    owner_id: str | None = None
    memory_container_id: str | None = None
    before: Mapping[str, Any] | None = None
    after: Mapping[str, Any] | None = None
    namespace: Mapping[str, str] | None = None
    namespace_size: int | Mapping[str, Any] | None = None
    tags: Mapping[str, Any] | None = None
    created_time: int | None = None
    tenant_id: str | None = None
    error: str | None = None
    pinned: bool | None = None


@record
class MemorySession(Record):
    """A session, which groups working memories."""

    owner_id: str | None = None
    memory_container_id: str | None = None
    summary: str | None = None
    created_time: int | None = None
    last_updated_time: int | None = None
    metadata: Mapping[str, Any] | None = None
    agents: Mapping[str, Any] | None = None
    additional_info: Mapping[str, Any] | None = None
    namespace: Mapping[str, str] | None = None
    tenant_id: str | None = None
    pinned: bool | None = None


# Documents have no type field: their required fields tell them apart, and a session has none.
MemoryDocument: TypeAlias = WorkingMemory | LongTermMemory | MemoryHistory | MemorySession


@record
class SessionCreated(Record):
    """The id of a new session."""

    session_id: str
    status: str


@record
class MemoryResult(Record):
    """A change of a long-term memory that added messages caused."""

    id: str | None = None
    text: str | None = None
    event: str | None = None
    old_memory: str | None = None
    owner_id: str | None = None


@record
class MemoriesAdded(Record):
    """The ids of the added memories."""

    session_id: str | None = None
    working_memory_id: str | None = None
    long_term_memories: list[MemoryResult] | None = None


@record
class DeletedByQuery(Record):
    """The result of a delete-by-query: counts of documents, and ``took`` in milliseconds."""

    took: int
    timed_out: bool
    total: int
    deleted: int
    updated: int | None = None
    created: int | None = None
    batches: int | None = None
    version_conflicts: int | None = None
    noops: int | None = None
    retries: Mapping[str, int] | None = None
    throttled_millis: int | None = None
    requests_per_second: float | None = None
    throttled_until_millis: int | None = None
    failures: list[Mapping[str, Any]] | None = None
    slices: list[Mapping[str, Any]] | None = None
