"""Contract tests: memory containers and their contents."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest
import pytest_asyncio

from aiomlcommons import BadRequest, NotFound, Session
from aiomlcommons.api.memory_containers import MemoryConfiguration
from aiomlcommons.api.memory_documents import MemorySession, MessageInput, WorkingMemory
from tests.support.contract.undoing import afterwards, deleted

pytestmark = [pytest.mark.asyncio, pytest.mark.since("3.3", "a memory container with sessions and types of memory")]

TEA = [MessageInput(role="user", content=[{"type": "text", "text": "I like tea"}])]


@pytest_asyncio.fixture
async def container(ml: Session, unique: str) -> AsyncGenerator[str]:
    """Yield the id of a container with sessions, in indices of its own."""
    prefix = unique.replace(" ", "-")
    configuration = MemoryConfiguration(index_prefix=prefix, disable_session=False)
    container_id = (await ml.memory_containers.create(unique, configuration=configuration)).memory_container_id
    async with afterwards(
        lambda: deleted(ml.memory_containers.delete(container_id, delete_memories="sessions,working"))
    ):
        yield container_id


async def test_a_container_is_created_changed_and_looked_up(ml: Session, container: str, unique: str) -> None:
    assert (await ml.memory_containers.update(container, description="new")).result == "updated"
    found = await ml.memory_containers.get(container)
    assert (found.name, found.description, found.extra) == (unique, "new", {})
    assert found.configuration
    assert (found.configuration.disable_session, found.configuration.use_system_index) == (False, True)


async def test_a_session_is_begun_changed_and_deleted(ml: Session, container: str) -> None:
    session = await ml.memory_containers.create_session(container, summary="first", metadata={"a": "b"})
    await ml.memory_containers.update_memory(container, "sessions", session.session_id, {"summary": "second"})
    found = await ml.memory_containers.get_memory(container, "sessions", session.session_id)
    assert isinstance(found, MemorySession)
    assert (found.summary, found.metadata, found.extra) == ("second", {"a": "b"}, {})
    assert (await ml.memory_containers.delete_memory(container, "sessions", session.session_id)).result == "deleted"
    with pytest.raises(NotFound):
        await ml.memory_containers.get_memory(container, "sessions", session.session_id)


async def test_messages_and_data_are_working_memories(ml: Session, container: str) -> None:
    said = await ml.memory_containers.add_memories(
        container, payload_type="conversational", messages=TEA, namespace={"user_id": "u"}, tags={"t": "1"}, infer=False
    )
    data = await ml.memory_containers.add_memories(
        container, payload_type="data", structured_data={"x": 1}, namespace={"user_id": "u"}, infer=False
    )
    talk = await ml.memory_containers.get_memory(container, "working", said.working_memory_id or "")
    assert isinstance(talk, WorkingMemory)
    assert (talk.payload_type, talk.messages, talk.namespace) == ("conversational", TEA, {"user_id": "u"})
    await ml.memory_containers.update_memory(container, "working", said.working_memory_id or "", {"tags": {"t": "2"}})
    talk = await ml.memory_containers.get_memory(container, "working", said.working_memory_id or "")
    assert isinstance(talk, WorkingMemory)
    assert (talk.tags, talk.messages, talk.extra) == ({"t": "2"}, TEA, {})
    kept = await ml.memory_containers.get_memory(container, "working", data.working_memory_id or "")
    assert isinstance(kept, WorkingMemory)
    assert (kept.payload_type, kept.structured_data, kept.namespace_size) == ("data", {"x": 1}, 1)


@pytest.mark.since("3.6", "a search of memories by meaning")
async def test_a_search_by_meaning_needs_an_embedding_model(ml: Session, container: str) -> None:
    for search in (ml.memory_containers.semantic_search, ml.memory_containers.hybrid_search):
        with pytest.raises(BadRequest, match="does not have an embedding model configured"):
            await search(container, "tea")


async def test_a_missing_container_is_not_found(ml: Session, container: str) -> None:
    missing = f"{container[:-4]}none"
    with pytest.raises(NotFound, match=missing):
        await ml.memory_containers.get(missing)
