"""Handlers of messages in conversation memory, and their traces."""

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
from aiomlcommons.emulator.cluster import Cluster, alter
from aiomlcommons.emulator.errors import EMPTY_MESSAGE, illegal
from aiomlcommons.emulator.memory import conversations
from aiomlcommons.emulator.querying import records
from aiomlcommons.emulator.registry import handles


@handles(CreateMessage)
async def create_message(cluster: Cluster, request: CreateMessage) -> MessageCreated:
    """Create a message, or a trace if both its parent and its number are given."""
    conversations.check_enabled(cluster)
    _check_content(request)
    is_trace = request.parent_message_id is not None and request.trace_number is not None
    message_id = conversations.add_message(
        cluster,
        request.memory_id,
        input=request.input,
        response=request.response,
        prompt_template=request.prompt_template,
        origin=request.origin,
        additional_info=conversations.texts(request.additional_info) or {},
        parent_message_id=request.parent_message_id if is_trace else None,
        trace_number=request.trace_number if is_trace else None,
    )
    return MessageCreated(message_id=message_id)


@handles(ListMessages)
async def list_messages(cluster: Cluster, request: ListMessages) -> MessagePage:
    """Return a page of messages, oldest first."""
    conversations.check_enabled(cluster)
    conversations.find_memory(cluster, request.memory_id)
    page, following = conversations.page_of(
        conversations.history(cluster, request.memory_id), request.next_token, request.max_results
    )
    return MessagePage(messages=page, next_token=following)


@handles(GetMessage)
async def get_message(cluster: Cluster, request: GetMessage) -> MemoryMessage:
    """Return a message; 404 where there is none."""
    conversations.check_enabled(cluster)
    return alter(conversations.find_message(cluster, request.message_id), message_id=request.message_id)


@handles(UpdateMessage)
async def update_message(cluster: Cluster, request: UpdateMessage) -> WriteResult:
    """Change the response and merge additional information."""
    conversations.check_enabled(cluster)
    message = conversations.find_message(cluster, request.message_id)
    info = conversations.merged(message.additional_info, request.additional_info)
    response = message.response if request.response is None else request.response
    cluster.messages.change(
        request.message_id, response=response, additional_info=info, updated_time=conversations.iso_now(cluster)
    )
    return cluster.messages.updated(request.message_id)


@handles(ListTraces)
async def list_traces(cluster: Cluster, request: ListTraces) -> TracePage:
    """Return a page of traces, ordered by their number."""
    conversations.check_enabled(cluster)
    conversations.find_message(cluster, request.message_id)
    page, following = conversations.page_of(
        conversations.traces(cluster, request.message_id), request.next_token, request.max_results
    )
    return TracePage(traces=page, next_token=following)


@handles(SearchMessages)
async def find_messages(cluster: Cluster, request: SearchMessages) -> Hits[MemoryMessage]:
    """Search the messages and traces of one conversation."""
    conversations.check_enabled(cluster)
    conversations.find_memory(cluster, request.memory_id)
    body = conversations.with_query(request.body)
    query = {"bool": {"must": [body["query"], {"term": {"memory_id": request.memory_id}}]}}
    return records.search(cluster.messages, {**body, "query": query}, cluster.node_id)


def _check_content(request: CreateMessage) -> None:
    given = (request.input, request.prompt_template, request.response, request.origin)
    if not request.additional_info and not any(text and text.strip() for text in given):
        raise illegal(EMPTY_MESSAGE)
