"""Handlers of agentic memory: sessions and working memories, which need no model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiomlcommons.api.agentic_memory import (
    AddMemories,
    CreateSession,
    DeleteMemoryDocument,
    DeleteMemoryDocuments,
    GetMemoryDocument,
    SearchMemoryDocuments,
    UpdateMemoryDocument,
)
from aiomlcommons.api.common import Hits, WriteResult
from aiomlcommons.api.memory_containers import MemoryConfiguration
from aiomlcommons.api.memory_documents import (
    DeletedByQuery,
    MemoriesAdded,
    MemoryDocument,
    MemorySession,
    MemoryType,
    SessionCreated,
    WorkingMemory,
)
from aiomlcommons.emulator.cluster import Cluster, Index, alter
from aiomlcommons.emulator.errors import NO_DELETE_QUERY, NO_LLM, illegal, missing, refused, status_error
from aiomlcommons.emulator.memory.configuration import index_name
from aiomlcommons.emulator.memory.containers import configuration_in
from aiomlcommons.emulator.memory.conversations import texts
from aiomlcommons.emulator.querying import records
from aiomlcommons.emulator.querying.errors import WINDOW
from aiomlcommons.emulator.rate_limits import CALLER
from aiomlcommons.emulator.registry import handles
from aiomlcommons.wire import convert

PAYLOADS = ("conversational", "data")
CHANGEABLE: dict[MemoryType, tuple[str, ...]] = {
    "sessions": ("summary", "metadata", "agents", "additional_info"),
    "working": ("messages", "binary_data", "structured_data", "metadata", "tags"),
    "long-term": ("memory", "tags"),
}
# Stored as strings, except in sessions.
TEXTS = ("metadata", "tags")


@handles(CreateSession)
async def create_session(cluster: Cluster, request: CreateSession) -> SessionCreated:
    """Create a session; one with the same custom id is replaced."""
    configuration = configuration_in(cluster, request.memory_container_id)
    sessions = _index(cluster, configuration, "sessions")
    if sessions is None:
        raise refused(400, "action_request_validation_exception", "Validation Failed: 1: index is missing;")
    session_id, now = (request.session_id or "").strip() or cluster.new_id(), cluster.now()
    session = MemorySession(
        owner_id=CALLER.get(),
        memory_container_id=request.memory_container_id,
        summary=request.summary,
        created_time=now,
        last_updated_time=now,
        metadata=request.metadata,
        agents=request.agents,
        additional_info=request.additional_info,
        namespace=request.namespace,
    )
    sessions.put(session_id, session)
    return SessionCreated(session_id=session_id, status="created")


@handles(AddMemories)
async def add(cluster: Cluster, request: AddMemories) -> MemoriesAdded:
    """Add a working memory; 501 where a model would have to extract long-term memories or summarize a session."""
    configuration = configuration_in(cluster, request.memory_container_id)
    payload = (request.payload_type or PAYLOADS[0]).lower()
    _check_payload(request, payload)
    namespace = texts(request.namespace) or {}
    if request.infer and configuration.llm_id is None:
        raise illegal(NO_LLM)
    if request.infer or _begins_session(configuration, payload, namespace):
        raise refused(501, "not_emulated", "the emulator asks no model to make memories or summaries")
    memory_id, now = cluster.new_id(), cluster.now()
    memory = WorkingMemory(
        memory_container_id=request.memory_container_id,
        payload_type=payload,
        messages=list(request.messages or ()) or None,
        message_id=request.message_id,
        binary_data=request.binary_data,
        structured_data=request.structured_data,
        structured_data_blob=request.structured_data_blob,
        namespace=namespace or None,
        namespace_size=len(namespace) or None,
        infer=False,
        metadata=texts(request.metadata) or None,
        tags=texts(request.tags) or None,
        created_time=now,
        last_updated_time=now,
        owner_id=CALLER.get(),
        session_id=namespace.get("session_id"),
        checkpoint_id=request.checkpoint_id,
        pinned=request.pinned,
    )
    _existing(cluster, configuration, "working").put(memory_id, memory)
    return MemoriesAdded(session_id=namespace.get("session_id"), working_memory_id=memory_id)


@handles(GetMemoryDocument)
async def get(cluster: Cluster, request: GetMemoryDocument) -> MemoryDocument:
    """Return a memory; 404 where there is none."""
    configuration = configuration_in(cluster, request.memory_container_id)
    memory: MemoryDocument = _found(_existing(cluster, configuration, request.memory_type), request.memory_id)
    # The session id is returned by searches only.
    return alter(memory, session_id=None) if isinstance(memory, WorkingMemory) else memory


@handles(UpdateMemoryDocument)
async def update(cluster: Cluster, request: UpdateMemoryDocument) -> WriteResult:
    """Replace the fields that can be changed, and ignore others."""
    configuration = configuration_in(cluster, request.memory_container_id)
    index = _existing(cluster, configuration, request.memory_type)
    if request.memory_type == "history":
        raise missing("Can't update memory history")
    memory = _found(index, request.memory_id)
    given = {name: request.body[name] for name in CHANGEABLE[request.memory_type] if name in request.body}
    index.put(request.memory_id, _changed(memory, {**given, "last_updated_time": cluster.now()}))
    return alter(index.updated(request.memory_id), forced_refresh=None)


@handles(DeleteMemoryDocument)
async def delete(cluster: Cluster, request: DeleteMemoryDocument) -> WriteResult:
    """Delete a memory; 404 where there is none."""
    configuration = configuration_in(cluster, request.memory_container_id)
    index = _existing(cluster, configuration, request.memory_type)
    _found(index, request.memory_id)
    return alter(index.delete(request.memory_id), forced_refresh=None)


@handles(SearchMemoryDocuments)
async def find_all(cluster: Cluster, request: SearchMemoryDocuments) -> Hits[MemoryDocument]:
    """Search the memories of one container."""
    configuration = configuration_in(cluster, request.memory_container_id)
    index = _existing(cluster, configuration, request.memory_type)
    own = _within(index, request.memory_container_id)
    return records.search(own, request.body, cluster.node_id)


@handles(DeleteMemoryDocuments)
async def delete_found(cluster: Cluster, request: DeleteMemoryDocuments) -> DeletedByQuery:
    """Delete by query, which is required, in one container."""
    configuration = configuration_in(cluster, request.memory_container_id)
    index = _index(cluster, configuration, request.memory_type)
    if index is None:
        raise status_error(400, f"Invalid memory type or memory type is disabled: {request.memory_type}")
    if request.query is None:
        raise status_error(400, NO_DELETE_QUERY)
    body = {"query": request.query, "size": WINDOW}
    hits = records.search(_within(index, request.memory_container_id), body, cluster.node_id)
    for hit in hits:
        index.delete(hit.id)
    return _deleted(len(hits))


def _changed(memory: Any, fields: Mapping[str, Any]) -> Any:
    try:
        changed = convert.structure({**convert.unstructure(memory), **fields}, type(memory))
    except convert.Unreadable as error:
        raise illegal(str(error)) from None
    if isinstance(changed, MemorySession):
        return changed
    as_text = {name: texts(getattr(changed, name, None)) for name in TEXTS if name in fields}
    return alter(changed, **as_text)


def _index(cluster: Cluster, configuration: MemoryConfiguration, kind: MemoryType) -> Index[Any] | None:
    name = index_name(configuration, kind)
    # A deleted index is created again with the first document.
    return None if name is None else cluster.contents.setdefault(name, Index(name, existed=True))


def _existing(cluster: Cluster, configuration: MemoryConfiguration, kind: MemoryType) -> Index[Any]:
    index = _index(cluster, configuration, kind)
    if index is None:
        raise missing("Memory index not found")
    return index


def _found(index: Index[Any], memory_id: str) -> Any:
    memory = index.get(memory_id)
    if memory is None:
        raise missing("Memory not found")
    return memory


def _within(index: Index[Any], container_id: str) -> Index[Any]:
    """Return the documents of a container in an index that containers may share, the latest change last."""
    rows = sorted(index.documents.values(), key=lambda row: row.seq_no)
    own = {row.id: row for row in rows if row.source.memory_container_id == container_id}
    return Index(index.name, own, existed=index.existed)


def _check_payload(request: AddMemories, payload: str) -> None:
    if payload not in PAYLOADS:
        kinds = ", ".join(PAYLOADS).upper()
        raise illegal(f"Invalid working memory type: {request.payload_type}. Must be one of: {kinds}")
    if request.infer and not request.messages:
        raise illegal("No messages provided when inferring memory")


def _begins_session(configuration: MemoryConfiguration, payload: str, namespace: dict[str, str]) -> bool:
    """Return whether the server would start a session, with a summary from the container's model."""
    has_session = "session_id" in namespace or bool(configuration.disable_session)
    return payload == PAYLOADS[0] and not has_session and configuration.llm_id is not None


def _deleted(count: int) -> DeletedByQuery:
    return DeletedByQuery(
        took=1,
        timed_out=False,
        total=count,
        updated=0,
        created=0,
        deleted=count,
        batches=min(count, 1),
        version_conflicts=0,
        noops=0,
        retries={"bulk": 0, "search": 0},
        throttled_millis=0,
        requests_per_second=-1.0,
        throttled_until_millis=0,
        failures=[],
    )
