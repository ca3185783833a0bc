"""The messages of conversation memory, and their traces."""

from __future__ import annotations

from aiomlcommons.api.common import Hits, WriteResult
from aiomlcommons.api.memory import (
    CreateMessage,
    GetMessage,
    ListMessages,
    ListTraces,
    MemoryMessage,
    MessageCreated,
    MessagePage,
    SearchMessages,
    TracePage,
    UpdateMessage,
)
from aiomlcommons.emulator import memory, search
from aiomlcommons.emulator.cluster import Cluster, alter
from aiomlcommons.emulator.errors import EMPTY_MESSAGE, illegal
from aiomlcommons.emulator.registry import handles


@handles(CreateMessage)
async def create_message(cluster: Cluster, request: CreateMessage) -> MessageCreated:
    """A trace needs both its message and its number, else it is an ordinary message."""
    memory.check_enabled(cluster)
    _check_content(request)
    is_trace = request.parent_message_id is not None and request.trace_number is not None
    message_id = memory.add_message(
        cluster,
        request.memory_id,
        input=request.input,
        response=request.response,
        prompt_template=request.prompt_template,
        origin=request.origin,
        additional_info=memory.texts(request.additional_info) or {},
        parent_message_id=request.parent_message_id if is_trace else None,
        trace_number=request.trace_number if is_trace else None,
    )
    return MessageCreated(message_id=message_id)


@handles(ListMessages)
async def list_messages(cluster: Cluster, request: ListMessages) -> MessagePage:
    """The first one comes first."""
    memory.check_enabled(cluster)
    memory.find_memory(cluster, request.memory_id)
    page, following = memory.page_of(
        memory.history(cluster, request.memory_id), request.next_token, request.max_results
    )
    return MessagePage(messages=page, next_token=following)


@handles(GetMessage)
async def get_message(cluster: Cluster, request: GetMessage) -> MemoryMessage:
    """404 where there is none."""
    memory.check_enabled(cluster)
    return alter(memory.find_message(cluster, request.message_id), message_id=request.message_id)


@handles(UpdateMessage)
async def update_message(cluster: Cluster, request: UpdateMessage) -> WriteResult:
    """Additional information is added to what is there."""
    memory.check_enabled(cluster)
    message = memory.find_message(cluster, request.message_id)
    info = memory.merged(message.additional_info, request.additional_info)
    response = message.response if request.response is None else request.response
    cluster.messages.change(
        request.message_id, response=response, additional_info=info, updated_time=memory.iso_now(cluster)
    )
    return cluster.messages.updated(request.message_id)


@handles(ListTraces)
async def list_traces(cluster: Cluster, request: ListTraces) -> TracePage:
    """By their number."""
    memory.check_enabled(cluster)
    memory.find_message(cluster, request.message_id)
    page, following = memory.page_of(
        memory.traces(cluster, request.message_id), request.next_token, request.max_results
    )
    return TracePage(traces=page, next_token=following)


@handles(SearchMessages)
async def find_messages(cluster: Cluster, request: SearchMessages) -> Hits[MemoryMessage]:
    """Any query that the emulator's search knows, within one conversation. Traces are found too."""
    memory.check_enabled(cluster)
    memory.find_memory(cluster, request.memory_id)
    body = memory.with_query(request.body)
    query = {"bool": {"must": [body["query"], {"term": {"memory_id": request.memory_id}}]}}
    return search.search(cluster.messages, {**body, "query": query}, cluster.node_id)


def _check_content(request: CreateMessage) -> None:
    given = (request.input, request.prompt_template, request.response, request.origin)
    if not request.additional_info and not any(text and text.strip() for text in given):
        raise illegal(EMPTY_MESSAGE)
