"""Memory containers, beyond the recordings."""

from __future__ import annotations

from typing import Any

import pytest

from aiomlcommons import BadRequest, Conflict, NotFound, Session
from aiomlcommons.api.memory_containers import MemoryConfiguration, MemoryStrategy
from aiomlcommons.api.memory_documents import MemorySession
from aiomlcommons.emulator import Emulator
from aiomlcommons.net.auth import BasicAuth
from aiomlcommons.net.secret import Secret
from tests.support.memory_containers import ALL, SPARSE, TEA, WITH_SESSIONS, made, unasked

pytestmark = pytest.mark.asyncio


async def test_a_container_has_the_servers_defaults(ml: Session) -> None:
    found = await ml.memory_containers.get(await made(ml))
    assert found.configuration == MemoryConfiguration(
        index_prefix="default", disable_history=False, disable_session=True, use_system_index=True
    )
    own = await ml.memory_containers.get(await made(ml, MemoryConfiguration(use_system_index=False)))
    assert own.configuration
    assert len(own.configuration.index_prefix or "") == 8


async def test_an_update_changes_what_is_given(ml: Session) -> None:
    container, llm = await made(ml, WITH_SESSIONS), await unasked(ml)
    await ml.memory_containers.update(container, description="new")
    configuration = MemoryConfiguration(llm_id=llm, index_prefix="elsewhere", disable_session=True)
    await ml.memory_containers.update(container, name="renamed", configuration=configuration)
    found = await ml.memory_containers.get(container)
    assert (found.name, found.description) == ("renamed", "new")
    assert found.configuration == MemoryConfiguration(
        index_prefix="talks",
        llm_id=llm,
        max_infer_size=5,
        disable_history=False,
        disable_session=False,
        use_system_index=True,
    )


async def test_strategies_change_by_id_and_others_are_added(ml: Session) -> None:
    llm = await unasked(ml)
    facts = MemoryStrategy(type="semantic", namespace=["user_id"])
    models = MemoryConfiguration(llm_id=llm, embedding_model_id=llm, embedding_model_type=SPARSE, strategies=[facts])
    container = await made(ml, models)

    async def strategies() -> list[MemoryStrategy]:
        configuration = (await ml.memory_containers.get(container)).configuration
        assert configuration
        return configuration.strategies or []

    (first,) = await strategies()
    assert (first.type, first.enabled) == ("SEMANTIC", True)
    changes = [MemoryStrategy(id=first.id, enabled=False), MemoryStrategy(type="summary", namespace=["user_id"])]
    await ml.memory_containers.update(container, configuration=MemoryConfiguration(strategies=changes))
    changed, added = await strategies()
    assert (changed.id, changed.type, changed.enabled, changed.namespace) == (first.id, "SEMANTIC", False, ["user_id"])
    assert (added.type, added.enabled) == ("SUMMARY", True)
    unknown = MemoryConfiguration(strategies=[MemoryStrategy(id="nope")])
    with pytest.raises(NotFound, match="nope"):
        await ml.memory_containers.update(container, configuration=unknown)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"embedding_model_id": "m"}, "Embedding model type is required when embedding model ID is provided"),
        ({"embedding_model_type": SPARSE}, "Embedding model ID is required when embedding model type is provided"),
        ({"embedding_model_id": "m", "embedding_model_type": "TEXT_EMBEDDING"}, "Dimension is required"),
        (
            {"embedding_model_id": "m", "embedding_model_type": SPARSE, "embedding_dimension": 3},
            "Dimension is not allowed for SPARSE_ENCODING",
        ),
        ({"embedding_model_id": "m", "embedding_model_type": "KMEANS"}, "must be either TEXT_EMBEDDING or"),
        ({"embedding_model_id": "m", "embedding_model_type": SPARSE}, "Embedding model with ID m not found"),
        ({"llm_id": "m"}, "LLM model with ID m not found"),
        ({"max_infer_size": 11}, "Maximum infer size cannot exceed 10"),
        ({"strategies": [MemoryStrategy(type="summary")]}, "Missing: LLM model and embedding model"),
        ({"strategies": [MemoryStrategy(type="summary")], "llm_id": "m"}, "Missing: embedding model"),
    ],
)
async def test_a_configuration_that_does_not_fit_is_refused(ml: Session, fields: dict[str, Any], words: str) -> None:
    with pytest.raises(BadRequest, match=words):
        await made(ml, MemoryConfiguration(**fields))
    assert (await ml.memory_containers.search(ALL)).total == 0


async def test_the_llm_must_be_remote_and_the_encoder_of_its_kind(ml: Session, dense: str) -> None:
    with pytest.raises(BadRequest, match="LLM model must be a REMOTE model, found: TEXT_EMBEDDING"):
        await made(ml, MemoryConfiguration(llm_id=dense))
    with pytest.raises(BadRequest, match="must be of type SPARSE_ENCODING or REMOTE, found: TEXT_EMBEDDING"):
        await made(ml, MemoryConfiguration(embedding_model_id=dense, embedding_model_type=SPARSE))


async def test_memories_outlive_a_container_unless_they_are_deleted_with_it(ml: Session) -> None:
    first, second = await made(ml, WITH_SESSIONS), await made(ml, WITH_SESSIONS)
    await ml.memory_containers.create_session(second, session_id="s")
    with pytest.raises(Conflict, match="multiple containers share the index prefix 'talks'"):
        await ml.memory_containers.delete(first, delete_all_memories=True)
    with pytest.raises(Conflict):
        await ml.memory_containers.delete(first, delete_memories="sessions")
    assert (await ml.memory_containers.delete(first)).result == "deleted"
    assert isinstance(await ml.memory_containers.get_memory(second, "sessions", "s"), MemorySession)
    await ml.memory_containers.delete(second, delete_memories="sessions")
    with pytest.raises(NotFound):
        await ml.memory_containers.get_memory(second, "sessions", "s")


async def test_only_the_named_memories_are_deleted_with_a_container() -> None:
    emulator = Emulator()
    async with emulator.serve() as url, Session(url) as ml:
        container = await made(ml, WITH_SESSIONS)
        await ml.memory_containers.create_session(container, session_id="s")
        await ml.memory_containers.add_memories(container, messages=TEA)
        await ml.memory_containers.delete(container, delete_memories="sessions,history")
    kept = {name: len(index.documents) for name, index in emulator.cluster.contents.items()}
    assert kept == {".plugins-ml-am-talks-memory-working": 1, ".plugins-ml-am-talks-memory-long-term": 0}


async def test_a_container_and_its_memories_belong_to_their_user() -> None:
    async with (
        Emulator().serve(username="someone", password="secret") as url,
        Session(url, auth=BasicAuth("someone", Secret("secret"))) as ml,
    ):
        container = await made(ml, WITH_SESSIONS)
        owner = (await ml.memory_containers.get(container)).owner
        await ml.memory_containers.create_session(container, session_id="s")
        session = await ml.memory_containers.get_memory(container, "sessions", "s")
    assert (owner and owner.name, session.owner_id) == ("someone", "someone")
