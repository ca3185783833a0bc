"""Agentic memory: what a memory container holds, as sessions, working and long-term memories and their history."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import KW_ONLY
from typing import Any, Literal, TypeAlias

from aiomlcommons import rules
from aiomlcommons.api.common import Hits, WriteResult
from aiomlcommons.api.memory_containers import (
    CreateMemoryContainer,
    DeleteMemoryContainer,
    ExecuteRetention,
    GetMemoryContainer,
    PreviewContainerRetention,
    PreviewRetention,
    SearchMemoryContainers,
    StrategyType,
    UpdateMemoryContainer,
)
from aiomlcommons.api.search import searches
from aiomlcommons.endpoint import Record, Request, as_body, endpoint, mixin, record
from aiomlcommons.namespace import Namespace, op

MemoryType: TypeAlias = Literal["sessions", "working", "long-term", "history"]


@record
class MessageInput(Record):
    """What somebody said: ``role``, and content blocks such as ``{"type": "text", "text": "..."}``."""

    role: str | None = None
    content: list[Mapping[str, Any]] | None = None


@record
class WorkingMemory(Record):
    """A working memory: the messages or the data that were added."""

    payload_type: str
    infer: bool
    memory_container_id: str | None = None
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
    """A long-term memory: what a model kept of a conversation. ``memory_embedding`` is a vector or token weights."""

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
    """What was done to a long-term memory: ``ADD``, ``UPDATE``, ``DELETE`` or ``NONE``."""

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
    """A session that working memories belong to."""

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


# The server names no kind; what a document must hold tells it, and a session must hold nothing.
MemoryDocument: TypeAlias = WorkingMemory | LongTermMemory | MemoryHistory | MemorySession


@record
class SessionCreated(Record):
    """The id of a new session."""

    session_id: str
    status: str


@record
class MemoryResult(Record):
    """What became of a long-term memory when messages were added."""

    id: str | None = None
    text: str | None = None
    event: str | None = None
    old_memory: str | None = None
    owner_id: str | None = None


@record
class MemoriesAdded(Record):
    """The ids of what was added."""

    session_id: str | None = None
    working_memory_id: str | None = None
    long_term_memories: list[MemoryResult] | None = None


@record
class DeletedByQuery(Record):
    """How many documents a delete-by-query found and deleted, in ``took`` milliseconds."""

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


@endpoint("POST /_plugins/_ml/memory_containers/{memory_container_id}/memories/sessions", since="3.3", needs_body=True)
class CreateSession(Request[SessionCreated]):
    """Begin a session.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/agentic-memory-apis/create-session/
    """

    memory_container_id: str
    _: KW_ONLY
    session_id: str | None = None
    owner_id: str | None = None
    summary: str | None = None
    metadata: Mapping[str, Any] | None = None
    agents: Mapping[str, Any] | None = None
    additional_info: Mapping[str, Any] | None = None
    namespace: Mapping[str, str] | None = None
    tenant_id: str | None = None


PAYLOAD = ("payload_type", "binary_data", "structured_data")


@endpoint(
    "POST /_plugins/_ml/memory_containers/{memory_container_id}/memories",
    since="3.2",
    needs_body=True,
    newer={
        "3.3": (*PAYLOAD, "message_id", "namespace", "metadata", "parameters", "owner_id"),
        "3.4": ("checkpoint_id",),
        "3.5": ("structured_data_blob", "tenant_id"),
        "3.8": ("pinned",),
    },
)
class AddMemories(Request[MemoriesAdded]):
    """Add messages (``payload_type="conversational"``) or data (``"data"``).

    ``infer`` makes long-term memories of them, with the container's model.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/agentic-memory-apis/add-memory/
    """

    memory_container_id: str
    _: KW_ONLY
    payload_type: str | None = None
    messages: Sequence[MessageInput] | None = None
    message_id: int | None = None
    binary_data: str | None = None
    structured_data: Mapping[str, Any] | None = None
    structured_data_blob: Mapping[str, Any] | None = None
    namespace: Mapping[str, Any] | None = None
    infer: bool | None = None
    metadata: Mapping[str, Any] | None = None
    tags: Mapping[str, Any] | None = None
    parameters: Mapping[str, Any] | None = None
    owner_id: str | None = None
    pinned: bool | None = None
    checkpoint_id: str | None = None
    tenant_id: str | None = None


@endpoint("GET /_plugins/_ml/memory_containers/{memory_container_id}/memories/{memory_type}/{memory_id}", since="3.3")
class GetMemoryDocument(Request[MemoryDocument]):
    """Look a memory up. ``memory_type`` is ``sessions``, ``working``, ``long-term`` or ``history``.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/agentic-memory-apis/get-memory/
    """

    memory_container_id: str
    memory_type: MemoryType
    memory_id: str


@endpoint("PUT /_plugins/_ml/memory_containers/{memory_container_id}/memories/{memory_type}/{memory_id}", since="3.3")
class UpdateMemoryDocument(Request[WriteResult]):
    """Change fields of a memory. ``body`` holds those that its kind allows.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/agentic-memory-apis/update-memory/
    """

    memory_container_id: str
    memory_type: MemoryType
    memory_id: str
    body: Mapping[str, Any] = as_body()


@endpoint(
    "DELETE /_plugins/_ml/memory_containers/{memory_container_id}/memories/{memory_type}/{memory_id}", since="3.3"
)
class DeleteMemoryDocument(Request[WriteResult]):
    """Delete a memory.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/agentic-memory-apis/delete-memory/
    """

    memory_container_id: str
    memory_type: MemoryType
    memory_id: str


@endpoint(
    "POST /_plugins/_ml/memory_containers/{memory_container_id}/memories/{memory_type}/_search",
    since="3.3",
    also=["GET /_plugins/_ml/memory_containers/{memory_container_id}/memories/{memory_type}/_search"],
    repeatable=True,
)
class SearchMemoryDocuments(Request[Hits[MemoryDocument]]):
    """Search the memories of one kind with a query DSL body.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/agentic-memory-apis/search-memory/
    """

    memory_container_id: str
    memory_type: MemoryType
    body: Mapping[str, Any] = as_body(factory=dict)


@endpoint(
    "POST /_plugins/_ml/memory_containers/{memory_container_id}/memories/{memory_type}/_delete_by_query", since="3.3"
)
class DeleteMemoryDocuments(Request[DeletedByQuery]):
    """Delete the memories of one kind that match ``query``; all of them without one.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/agentic-memory-apis/delete-memory/
    """

    memory_container_id: str
    memory_type: MemoryType
    query: Mapping[str, Any] | None = None


@mixin
class SearchInput:
    """What narrows a search of long-term memories. ``k`` is 1 to 10,000 (default 10)."""

    k: int | None = None
    namespace: Mapping[str, str] | None = None
    tags: Mapping[str, str] | None = None
    min_score: float | None = None
    filter: Mapping[str, Any] | None = None


@endpoint(
    "POST /_plugins/_ml/memory_containers/{memory_container_id}/memories/long-term/_semantic_search",
    since="3.6",
    also=["GET /_plugins/_ml/memory_containers/{memory_container_id}/memories/long-term/_semantic_search"],
    repeatable=True,
)
class SemanticSearch(SearchInput, Request[Hits[MemoryDocument]]):
    """Find the long-term memories whose meaning is nearest to a text.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/agentic-memory-apis/semantic-search-memory/
    """

    memory_container_id: str
    query: str

    def problems(self) -> Iterator[str]:
        yield from rules.between(self, "k", 1, 10_000)


@endpoint(
    "POST /_plugins/_ml/memory_containers/{memory_container_id}/memories/long-term/_hybrid_search",
    since="3.6",
    also=["GET /_plugins/_ml/memory_containers/{memory_container_id}/memories/long-term/_hybrid_search"],
    repeatable=True,
)
class HybridSearch(SearchInput, Request[Hits[MemoryDocument]]):
    """Find long-term memories by words and by meaning. The two weights (default 0.5 each) add up to 1.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/agentic-memory-apis/hybrid-search-memory/
    """

    memory_container_id: str
    query: str
    _: KW_ONLY
    bm25_weight: float | None = None
    neural_weight: float | None = None

    def problems(self) -> Iterator[str]:
        yield from rules.between(self, "k", 1, 10_000)
        weights = (self.bm25_weight, self.neural_weight)
        total = sum(0.5 if weight is None else weight for weight in weights)
        if weights != (None, None) and abs(total - 1) > 1e-6:
            yield f"bm25_weight and neural_weight (default 0.5 each) must add up to 1, not {total:g}"


class MemoryContainers(Namespace):
    """``ml.memory_containers``: agentic memory and where it lives."""

    create = op(CreateMemoryContainer)
    get = op(GetMemoryContainer)
    update = op(UpdateMemoryContainer)
    delete = op(DeleteMemoryContainer)
    search = searches(SearchMemoryContainers)
    execute_retention = op(ExecuteRetention)
    preview_retention = op(PreviewRetention)
    preview_container_retention = op(PreviewContainerRetention)
    create_session = op(CreateSession)
    add_memories = op(AddMemories)
    get_memory = op(GetMemoryDocument)
    update_memory = op(UpdateMemoryDocument)
    delete_memory = op(DeleteMemoryDocument)
    search_memories = searches(SearchMemoryDocuments)
    delete_memories = op(DeleteMemoryDocuments)
    semantic_search = op(SemanticSearch)
    hybrid_search = op(HybridSearch)
