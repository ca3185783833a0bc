"""Conversation memory, beyond the recordings."""

from __future__ import annotations

import itertools

import pytest
import pytest_asyncio

from aiomlcommons import ApiError, BadRequest, NotFound, Session
from aiomlcommons.api.memory import GetMemory
from aiomlcommons.api.settings import MLSettings
from aiomlcommons.emulator import Cluster, Emulator
from aiomlcommons.emulator.errors import Refused
from aiomlcommons.emulator.memory.conversations import add_message, create_memory, history, traces
from aiomlcommons.net.auth import BasicAuth
from aiomlcommons.net.secret import Secret

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture
async def memory_id(ml: Session) -> str:
    """Return the id of a conversation without messages."""
    return (await ml.memory.create("talk")).memory_id


async def test_messages_come_in_order_and_page_by_page(ml: Session, memory_id: str) -> None:
    for number in range(3):
        await ml.memory.create_message(memory_id, input=f"q{number}", response=f"a{number}")
    first = await ml.memory.list_messages(memory_id, max_results=2)
    assert ([message.input for message in first.messages], first.next_token) == (["q0", "q1"], 2)
    second = await ml.memory.list_messages(memory_id, max_results=2, next_token=first.next_token)
    assert ([message.input for message in second.messages], second.next_token) == (["q2"], None)


async def test_a_full_last_page_promises_another_one_which_is_empty(ml: Session, memory_id: str) -> None:
    await ml.memory.create_message(memory_id, input="q")
    page = await ml.memory.list_messages(memory_id, max_results=1)
    assert page.next_token == 1
    after = await ml.memory.list_messages(memory_id, max_results=1, next_token=page.next_token)
    assert (after.messages, after.next_token) == ([], None)


async def test_a_page_has_ten_where_nothing_is_said(ml: Session) -> None:
    for number in range(11):
        await ml.memory.create(f"talk {number}")
    page = await ml.memory.list()
    assert (len(page.memories), page.next_token) == (10, 10)
    with pytest.raises(BadRequest, match="cannot be negative"):
        await ml.memory.list(max_results=-1)


async def test_the_conversation_that_was_changed_last_comes_first(ml: Session) -> None:
    ids = [(await ml.memory.create(name)).memory_id for name in ("a", "b", "c")]
    await ml.memory.create_message(ids[0], input="q")
    await ml.memory.update(ids[1], name="renamed")
    assert [memory.name for memory in (await ml.memory.list()).memories] == ["renamed", "a", "c"]


async def test_a_message_renews_the_time_of_its_conversation() -> None:
    ticks = itertools.count(1_700_000_000)
    emulator = Emulator(Cluster(clock=lambda: float(next(ticks))))
    async with emulator.serve() as url, Session(url) as ml:
        memory_id = (await ml.memory.create("talk")).memory_id
        before = await ml.memory.get(memory_id)
        assert before.create_time == before.updated_time
        await ml.memory.create_message(memory_id, input="q")
        after = await ml.memory.get(memory_id)
    assert after.create_time == before.create_time
    assert (after.updated_time or "") > (before.updated_time or "") >= "2023-11-14T22:13:20"


async def test_traces_stand_beside_the_messages_and_come_by_number(ml: Session, memory_id: str) -> None:
    parent = (await ml.memory.create_message(memory_id, input="q", response="a")).message_id
    for number in (2, 1):
        await ml.memory.create_message(
            memory_id, input="step", response=str(number), parent_message_id=parent, trace_number=number
        )
    assert [message.input for message in (await ml.memory.list_messages(memory_id)).messages] == ["q"]
    page = await ml.memory.list_traces(parent, max_results=1)
    assert ([trace.response for trace in page.traces], page.next_token) == (["1"], 1)
    rest = await ml.memory.list_traces(parent, next_token=1)
    assert [(trace.response, trace.parent_message_id, trace.trace_number) for trace in rest.traces] == [
        ("2", parent, 2)
    ]
    found = await ml.memory.search_messages(memory_id, {"query": {"match_all": {}}})
    assert found.total == 3


async def test_a_trace_without_a_number_is_an_ordinary_message(ml: Session, memory_id: str) -> None:
    parent = (await ml.memory.create_message(memory_id, input="q")).message_id
    made = await ml.memory.create_message(memory_id, input="half", parent_message_id=parent)
    assert (await ml.memory.get_message(made.message_id)).parent_message_id is None
    assert len((await ml.memory.list_messages(memory_id)).messages) == 2


async def test_additional_information_is_added_and_other_fields_stay(ml: Session, memory_id: str) -> None:
    made = await ml.memory.create_message(memory_id, input="q", response="a", additional_info={"k": "v", "n": 1})
    await ml.memory.update_message(made.message_id, additional_info={"k": "w", "feedback": "good"})
    message = await ml.memory.get_message(made.message_id)
    assert message.additional_info == {"k": "w", "n": "1", "feedback": "good"}
    assert (message.input, message.response, message.memory_id) == ("q", "a", memory_id)
    await ml.memory.update(memory_id, additional_info={"topic": "tea"})
    memory = await ml.memory.get(memory_id)
    assert (memory.name, memory.additional_info) == ("talk", {"topic": "tea"})


async def test_without_a_name_nothing_else_is_kept(ml: Session) -> None:
    unnamed = await ml.memory.create(application_type="chat", additional_info={"k": "v"})
    memory = await ml.memory.get(unnamed.memory_id)
    assert (memory.name, memory.additional_info) == ("", None)
    named = await ml.memory.create("named", application_type="chat")
    assert (await ml.memory.get(named.memory_id)).application_type is None
    hits = await ml.memory.search({"query": {"match": {"name": "named"}}})
    assert [hit.source.application_type for hit in hits] == ["chat"]


async def test_a_search_stays_in_its_conversation_and_needs_a_query(ml: Session, memory_id: str) -> None:
    other = (await ml.memory.create("other")).memory_id
    for talk in (memory_id, other):
        await ml.memory.create_message(talk, input="hello there", origin=talk)
    hits = await ml.memory.search_messages(memory_id, {"query": {"match": {"input": "hello"}}})
    assert [hit.source.origin for hit in hits] == [memory_id]
    for search in (ml.memory.search({}), ml.memory.search_messages(memory_id, {})):
        with pytest.raises(BadRequest, match="inner bool query clause cannot be null"):
            await search


async def test_a_deleted_conversation_takes_its_messages_along(ml: Session, memory_id: str) -> None:
    message_id = (await ml.memory.create_message(memory_id, input="q")).message_id
    assert (await ml.memory.delete(memory_id)).success
    with pytest.raises(NotFound, match=rf"Message \[{message_id}\] not found"):
        await ml.memory.get_message(message_id)
    for call in (
        ml.memory.list_messages(memory_id),
        ml.memory.create_message(memory_id, input="q"),
        ml.memory.update(memory_id, name="n"),
        ml.memory.search_messages(memory_id, {"query": {"match_all": {}}}),
    ):
        with pytest.raises(NotFound, match=rf"Memory \[{memory_id}\] not found"):
            await call


async def test_an_empty_message_is_refused(ml: Session, memory_id: str) -> None:
    with pytest.raises(BadRequest, match="At least one of the following parameters must be non-empty"):
        await ml.memory.create_message(memory_id, input=" ")


async def test_the_feature_can_be_switched_off(ml: Session, memory_id: str) -> None:
    await ml.settings.apply(MLSettings(memory_feature_enabled=False))
    with pytest.raises(ApiError, match="Conversation Memory feature is not enabled") as caught:
        await ml.send(GetMemory(memory_id))
    assert caught.value.status == 500


async def test_a_conversation_belongs_to_the_user_who_began_it() -> None:
    async with (
        Emulator().serve(username="someone", password="secret") as url,
        Session(url, auth=BasicAuth("someone", Secret("secret"))) as ml,
    ):
        memory_id = (await ml.memory.create("talk")).memory_id
        assert (await ml.memory.get(memory_id)).user == "someone"


async def test_other_parts_of_the_emulator_keep_conversations_too() -> None:
    cluster = Cluster()
    memory_id = create_memory(cluster, "talk")
    parent = add_message(cluster, memory_id, input="q", response="a", origin="agent")
    step = add_message(cluster, memory_id, input="step", parent_message_id=parent, trace_number=1)
    assert [(one.message_id, one.input, one.origin) for one in history(cluster, memory_id)] == [(parent, "q", "agent")]
    assert [one.message_id for one in traces(cluster, parent)] == [step]
    with pytest.raises(Refused):
        add_message(cluster, "nope", input="q")
