"""Contract tests: conversation memory."""

from __future__ import annotations

import pytest

from aiomlcommons import NotFound, Session
from tests.support.contract.undoing import afterwards

pytestmark = [pytest.mark.asyncio, pytest.mark.since("2.12", "conversation memory")]


async def _delete(ml: Session, memory_id: str) -> None:
    assert (await ml.memory.delete(memory_id)).success


async def test_a_conversation_is_begun_renamed_found_and_deleted(ml: Session, unique: str) -> None:
    memory_id = (await ml.memory.create(unique)).memory_id
    async with afterwards(lambda: _delete(ml, memory_id)):
        assert (await ml.memory.update(memory_id, name=f"{unique} renamed")).result == "updated"
        memory = await ml.memory.get(memory_id)
        assert (memory.memory_id, memory.name, memory.extra) == (memory_id, f"{unique} renamed", {})
        assert memory.updated_time != memory.create_time
        newest = await ml.memory.list(max_results=1)
        assert (len(newest.memories), newest.next_token) == (1, 1)
        hits = await ml.memory.search({"query": {"ids": {"values": [memory_id]}}})
        assert [(hit.source.name, hit.source.memory_id) for hit in hits] == [(f"{unique} renamed", None)]
    with pytest.raises(NotFound, match=rf"Memory \[{memory_id}\] not found"):
        await ml.memory.get(memory_id)


async def test_messages_are_listed_in_order_page_by_page(ml: Session, unique: str) -> None:
    memory_id = (await ml.memory.create(unique)).memory_id
    async with afterwards(lambda: _delete(ml, memory_id)):
        for number in range(2):
            await ml.memory.create_message(memory_id, input=f"q{number}", response=f"a{number}")
        first = await ml.memory.list_messages(memory_id, max_results=1)
        assert ([message.input for message in first.messages], first.next_token) == (["q0"], 1)
        second = await ml.memory.list_messages(memory_id, max_results=1, next_token=first.next_token)
        assert ([message.input for message in second.messages], second.next_token) == (["q1"], 2)
        end = await ml.memory.list_messages(memory_id, max_results=1, next_token=second.next_token)
        assert (end.messages, end.next_token) == ([], None)


async def test_a_message_is_added_to_traced_found_and_deleted_with_its_conversation(ml: Session, unique: str) -> None:
    memory_id = (await ml.memory.create(unique)).memory_id
    async with afterwards(lambda: _delete(ml, memory_id)):
        made = await ml.memory.create_message(memory_id, input="q", response="a", additional_info={"k": "v"})
        await ml.memory.update_message(made.message_id, additional_info={"feedback": "good"})
        message = await ml.memory.get_message(made.message_id)
        assert (message.memory_id, message.input, message.response) == (memory_id, "q", "a")
        assert (message.additional_info, message.extra) == ({"k": "v", "feedback": "good"}, {})
        step = await ml.memory.create_message(
            memory_id, input="step", parent_message_id=made.message_id, trace_number=1
        )
        trace = await ml.memory.get_message(step.message_id)
        assert (trace.parent_message_id, trace.trace_number) == (made.message_id, 1)
        assert [one.input for one in (await ml.memory.list_messages(memory_id)).messages] == ["q"]
        hits = await ml.memory.search_messages(memory_id, {"query": {"ids": {"values": [made.message_id]}}})
        assert [hit.source.input for hit in hits] == ["q"]
    with pytest.raises(NotFound):
        await ml.memory.get_message(made.message_id)


async def test_a_missing_conversation_is_not_found(ml: Session) -> None:
    with pytest.raises(NotFound):
        await ml.memory.delete("no-such-memory")
