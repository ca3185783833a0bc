"""Agentic memory: create sessions; add, get, update, search and delete memories."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY
from typing import Any

from aiomlcommons.api.common import Hits, WriteResult
from aiomlcommons.api.memory_containers import (
    CreateMemoryContainer,
    DeleteMemoryContainer,
    ExecuteRetention,
    GetMemoryContainer,
    PreviewContainerRetention,
    PreviewRetention,
    SearchMemoryContainers,
    UpdateMemoryContainer,
)
from aiomlcommons.api.memory_documents import (
    DeletedByQuery,
    MemoriesAdded,
    MemoryDocument,
    MemoryType,
    MessageInput,
    SessionCreated,
)
from aiomlcommons.api.memory_search import HybridSearch, SemanticSearch
from aiomlcommons.api.search import searches
from aiomlcommons.endpoint import Request, endpoint
from aiomlcommons.namespace import Namespace, op
from aiomlcommons.record import as_body


@endpoint("POST /_plugins/_ml/memory_containers/{memory_container_id}/memories/sessions", since="3.3", needs_body=True)
class CreateSession(Request[SessionCreated]):
    """Create a session.

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

    With ``infer`` the container's model extracts long-term memories from them.

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
    """Get a memory. ``memory_type`` is ``sessions``, ``working``, ``long-term`` or ``history``.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/agentic-memory-apis/get-memory/
    """

    memory_container_id: str
    memory_type: MemoryType
    memory_id: str


@endpoint("PUT /_plugins/_ml/memory_containers/{memory_container_id}/memories/{memory_type}/{memory_id}", since="3.3")
class UpdateMemoryDocument(Request[WriteResult]):
    """Update fields of a memory. ``body`` holds the fields that its type allows.

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
    """Search the memories of one type with a query DSL body.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/agentic-memory-apis/search-memory/
    """

    memory_container_id: str
    memory_type: MemoryType
    body: Mapping[str, Any] = as_body(factory=dict)


@endpoint(
    "POST /_plugins/_ml/memory_containers/{memory_container_id}/memories/{memory_type}/_delete_by_query", since="3.3"
)
class DeleteMemoryDocuments(Request[DeletedByQuery]):
    """Delete the memories of one type that match ``query``; without it, all of them.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/agentic-memory-apis/delete-memory/
    """

    memory_container_id: str
    memory_type: MemoryType
    query: Mapping[str, Any] | None = None


class MemoryContainers(Namespace):
    """``ml.memory_containers``: agentic memory and the containers that store it."""

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
