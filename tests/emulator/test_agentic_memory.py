"""The contents of memory containers, beyond the recordings."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio

from aiomlcommons import ApiError, BadRequest, FeatureDisabled, NotFound, Session
from aiomlcommons.api.memory_containers import MemoryConfiguration
from aiomlcommons.api.memory_documents import WorkingMemory
from aiomlcommons.api.settings import MLSettings
from aiomlcommons.emulator import Cluster, Emulator
from tests.support.memory_containers import ALL, DENSE, SPARSE, TEA, WITH_SESSIONS, made, unasked

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture
async def container(ml: Session) -> str:
    """Return the id of a container with sessions."""
    return await made(ml, WITH_SESSIONS)


async def test_a_session_and_its_messages(ml: Session, container: str) -> None:
    session = await ml.memory_containers.create_session(container, session_id="mine", summary="s", agents={"a": "b"})
    assert (session.session_id, session.status) == ("mine", "created")
    namespace = {"session_id": "mine", "turn": 2}
    added = await ml.memory_containers.add_memories(container, messages=TEA, namespace=namespace)
    assert added.session_id == "mine"
    memory = await ml.memory_containers.get_memory(container, "working", added.working_memory_id or "")
    assert isinstance(memory, WorkingMemory)
    assert (memory.payload_type, memory.infer, memory.messages) == ("conversational", False, TEA)
    assert (memory.namespace, memory.namespace_size) == ({"session_id": "mine", "turn": "2"}, 2)
    found = await ml.memory_containers.search_memories(
        container, "working", {"query": {"term": {"namespace.session_id": "mine"}}}
    )
    assert [hit.id for hit in found] == [added.working_memory_id]


async def test_an_update_replaces_what_may_be_changed() -> None:
    ticks = itertools.count(1_700_000_000)
    async with Emulator(Cluster(clock=lambda: float(next(ticks)))).serve() as url, Session(url) as ml:
        container = await made(ml, WITH_SESSIONS)
        added = await ml.memory_containers.add_memories(container, messages=TEA, tags={"t": "1", "u": "1"})
        key = added.working_memory_id or ""
        body = {"tags": {"t": "2"}, "payload_type": "data", "owner_id": "somebody"}
        written = await ml.memory_containers.update_memory(container, "working", key, body)
        memory = await ml.memory_containers.get_memory(container, "working", key)
    assert (written.result, written.version, written.index) == ("updated", 2, ".plugins-ml-am-talks-memory-working")
    assert isinstance(memory, WorkingMemory)
    assert (memory.tags, memory.payload_type, memory.owner_id, memory.messages) == (
        {"t": "2"},
        "conversational",
        None,
        TEA,
    )
    assert (memory.last_updated_time or 0) > (memory.created_time or 0)


async def test_an_update_is_read_as_what_was_added_is(ml: Session, container: str) -> None:
    key = (await ml.memory_containers.add_memories(container, messages=TEA)).working_memory_id or ""
    said = {"messages": [{"role": "assistant", "content": [{"type": "text", "text": "So do I"}]}], "tags": {"n": 1}}
    await ml.memory_containers.update_memory(container, "working", key, said)
    memory = await ml.memory_containers.get_memory(container, "working", key)
    assert isinstance(memory, WorkingMemory)
    assert ([one.role for one in memory.messages or ()], memory.tags) == (["assistant"], {"n": "1"})
    with pytest.raises(BadRequest, match="structured_data"):
        await ml.memory_containers.update_memory(container, "working", key, {"structured_data": "text"})
    assert await ml.memory_containers.get_memory(container, "working", key) == memory


async def test_what_was_changed_last_is_found_last(ml: Session, container: str) -> None:
    for session in ("a", "b"):
        await ml.memory_containers.create_session(container, session_id=session)
    await ml.memory_containers.update_memory(container, "sessions", "a", {"summary": "new"})
    found = await ml.memory_containers.search_memories(container, "sessions", ALL)
    assert [hit.id for hit in found] == ["b", "a"]


async def test_containers_of_one_prefix_do_not_see_each_others_memories(ml: Session) -> None:
    first, second = await made(ml, WITH_SESSIONS), await made(ml, WITH_SESSIONS)
    for container in (first, second):
        await ml.memory_containers.add_memories(container, payload_type="data", structured_data={"of": container})
    found = await ml.memory_containers.search_memories(first, "working", ALL)
    assert [hit.source.structured_data for hit in found if isinstance(hit.source, WorkingMemory)] == [{"of": first}]
    assert (await ml.memory_containers.delete_memories(first, "working", query={"match_all": {}})).deleted == 1
    assert (await ml.memory_containers.search_memories(second, "working", ALL)).total == 1


async def test_memories_are_deleted_by_query(ml: Session, container: str) -> None:
    for tag in ("old", "old", "new"):
        await ml.memory_containers.add_memories(container, messages=TEA, tags={"t": tag})
    gone = await ml.memory_containers.delete_memories(container, "working", query={"term": {"tags.t": "old"}})
    assert (gone.total, gone.deleted, gone.timed_out, gone.failures, gone.extra) == (2, 2, False, [], {})
    left = await ml.memory_containers.search_memories(container, "working", ALL)
    assert [hit.source.tags for hit in left if isinstance(hit.source, WorkingMemory)] == [{"t": "new"}]
    with pytest.raises(BadRequest, match="Query parameter is required for delete by query"):
        await ml.memory_containers.delete_memories(container, "working")


async def test_what_is_switched_off_has_no_index(ml: Session) -> None:
    container = await made(ml, MemoryConfiguration(disable_history=True))
    with pytest.raises(BadRequest, match="index is missing"):
        await ml.memory_containers.create_session(container)
    with pytest.raises(NotFound, match="Memory index not found"):
        await ml.memory_containers.get_memory(container, "sessions", "s")
    with pytest.raises(BadRequest, match="memory type is disabled: history"):
        await ml.memory_containers.delete_memories(container, "history", query={"match_all": {}})


async def test_what_is_not_there_is_not_found(ml: Session, container: str) -> None:
    memories = ml.memory_containers
    for call in (
        memories.get_memory(container, "working", "nope"),
        memories.update_memory(container, "long-term", "nope", {"memory": "m"}),
        memories.delete_memory(container, "sessions", "nope"),
    ):
        with pytest.raises(NotFound, match="Memory not found"):
            await call
    with pytest.raises(NotFound, match="Can't update memory history"):
        await memories.update_memory(container, "history", "nope", {})


CALLS: dict[str, Callable[[Session], Awaitable[Any]]] = {
    "update": lambda ml: ml.memory_containers.update("nope", name="n"),
    "delete": lambda ml: ml.memory_containers.delete("nope"),
    "create_session": lambda ml: ml.memory_containers.create_session("nope"),
    "add_memories": lambda ml: ml.memory_containers.add_memories("nope", messages=TEA),
    "search_memories": lambda ml: ml.memory_containers.search_memories("nope", "working", ALL),
    "delete_memories": lambda ml: ml.memory_containers.delete_memories("nope", "working", query={"match_all": {}}),
}


@pytest.mark.parametrize("name", CALLS)
async def test_without_its_container_nothing_is_done(ml: Session, name: str) -> None:
    with pytest.raises(NotFound, match="Memory container not found"):
        await CALLS[name](ml)
    await ml.settings.apply(MLSettings(agentic_memory_enabled=False))
    with pytest.raises(FeatureDisabled, match="Agentic Memory APIs are not enabled"):
        await CALLS[name](ml)


async def test_nothing_is_inferred(ml: Session, container: str) -> None:
    memories = ml.memory_containers
    with pytest.raises(BadRequest, match="infer=true requires llm_model_id"):
        await memories.add_memories(container, messages=TEA, infer=True)
    with pytest.raises(BadRequest, match="No messages provided when inferring memory"):
        await memories.add_memories(container, payload_type="data", structured_data={"x": 1}, infer=True)
    with pytest.raises(BadRequest, match="Invalid working memory type: other"):
        await memories.add_memories(container, payload_type="other", messages=TEA)
    await memories.update(container, configuration=MemoryConfiguration(llm_id=await unasked(ml)))
    for infer, namespace in ((True, {"session_id": "s"}), (False, None)):
        with pytest.raises(ApiError, match="asks no model") as caught:
            await memories.add_memories(container, messages=TEA, infer=infer, namespace=namespace)
        assert caught.value.status == 501
    assert (await memories.add_memories(container, messages=TEA, namespace={"session_id": "s"})).session_id == "s"


async def test_a_search_by_meaning_needs_a_model_and_is_not_emulated_with_one() -> None:
    async with Emulator(Cluster(version="3.8.0")).serve() as url, Session(url) as ml:
        container = await made(ml)
        with pytest.raises(BadRequest, match="Semantic search requires a memory container with an embedding model"):
            await ml.memory_containers.semantic_search(container, "tea")
        searches = (ml.memory_containers.semantic_search, ml.memory_containers.hybrid_search)
        for kind, dimension, words in (
            (SPARSE, None, "query does not support"),
            (DENSE, 8, "no long-term memories to search by meaning"),
        ):
            configuration = MemoryConfiguration(
                embedding_model_id=await unasked(ml), embedding_model_type=kind, embedding_dimension=dimension
            )
            await ml.memory_containers.update(container, configuration=configuration)
            for search in searches:
                with pytest.raises(ApiError, match=words):
                    await search(container, "tea")
