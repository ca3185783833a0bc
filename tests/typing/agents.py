"""Agents, tools and memories: every call has its answer's type."""

from __future__ import annotations

from typing import assert_type

from aiomlcommons import NULL, Session
from aiomlcommons.api.agent_runs import AgentAnswer, AgentEvent
from aiomlcommons.api.agentic_search_templates import (
    AgenticSearchTemplate,
    AgenticSearchTemplateList,
    AgenticSearchTemplateStatus,
)
from aiomlcommons.api.agents import Agent, AgentRegistered
from aiomlcommons.api.common import Acknowledged, Hit, Hits, WriteResult
from aiomlcommons.api.context_management import (
    ContextManagementStatus,
    ContextManagementTemplate,
    ContextManagementTemplates,
)
from aiomlcommons.api.index_insight import InsightConfig, InsightFound
from aiomlcommons.api.mcp import ConnectorTools, JsonRpc, McpNode, McpTool, McpTools
from aiomlcommons.api.memory import (
    Memory,
    MemoryCreated,
    MemoryDeleted,
    MemoryMessage,
    MemoryPage,
    MessageCreated,
    MessagePage,
    TracePage,
)
from aiomlcommons.api.memory_containers import (
    MemoryConfiguration,
    MemoryContainer,
    MemoryContainerCreated,
    RetentionPreview,
    RetentionPreviews,
    RetentionTriggered,
)
from aiomlcommons.api.memory_documents import DeletedByQuery, MemoriesAdded, MemoryDocument, SessionCreated
from aiomlcommons.api.predict import Prediction
from aiomlcommons.api.tools import Tool
from aiomlcommons.stream import Events


async def agents(ml: Session) -> None:
    assert_type(await ml.agents.register("a name", "flow"), AgentRegistered)
    assert_type(await ml.agents.get("a"), Agent)
    assert_type(await ml.agents.update("a"), WriteResult)
    assert_type(await ml.agents.delete("a"), WriteResult)
    assert_type(await ml.agents.search(), Hits[Agent])
    async for hit in ml.agents.search():
        assert_type(hit, Hit[Agent])
    assert_type(await ml.agents.execute("a", parameters={"question": "why?"}, async_=True), AgentAnswer)
    async with ml.agents.execute_stream("a") as events:
        assert_type(events, Events[AgentEvent])
        assert_type(await anext(events), AgentEvent)


async def tools(ml: Session) -> None:
    assert_type(await ml.tools.list(), list[Tool])
    assert_type(await ml.tools.get("ListIndexTool"), Tool)
    assert_type(await ml.tools.execute("ListIndexTool"), Prediction)


async def memory(ml: Session) -> None:
    assert_type(await ml.memory.create(), MemoryCreated)
    assert_type(await ml.memory.list(max_results=2), MemoryPage)
    assert_type(await ml.memory.get("m"), Memory)
    for memory in await ml.memory.list():
        assert_type(memory, Memory)
    assert_type(await ml.memory.update("m"), WriteResult)
    assert_type(await ml.memory.delete("m"), MemoryDeleted)
    assert_type(await ml.memory.search(), Hits[Memory])
    async for hit in ml.memory.search():
        assert_type(hit, Hit[Memory])
    assert_type(await ml.memory.create_message("m"), MessageCreated)
    assert_type(await ml.memory.list_messages("m"), MessagePage)
    assert_type(await ml.memory.get_message("m"), MemoryMessage)
    assert_type(await ml.memory.update_message("m"), WriteResult)
    assert_type(await ml.memory.list_traces("m"), TracePage)
    assert_type(await ml.memory.search_messages("m"), Hits[MemoryMessage])
    async for message in ml.memory.search_messages("m"):
        assert_type(message, Hit[MemoryMessage])


async def memory_containers(ml: Session) -> None:
    assert_type(await ml.memory_containers.create("a name"), MemoryContainerCreated)
    assert_type(await ml.memory_containers.get("m"), MemoryContainer)
    assert_type(
        await ml.memory_containers.update("m", configuration=MemoryConfiguration(retention_policy=NULL)), WriteResult
    )
    assert_type(await ml.memory_containers.delete("m"), WriteResult)
    assert_type(await ml.memory_containers.search(), Hits[MemoryContainer])
    async for hit in ml.memory_containers.search():
        assert_type(hit, Hit[MemoryContainer])
    assert_type(await ml.memory_containers.execute_retention(), RetentionTriggered)
    assert_type(await ml.memory_containers.preview_retention(), RetentionPreviews)
    assert_type(await ml.memory_containers.preview_container_retention("m"), RetentionPreview)
    assert_type(await ml.memory_containers.create_session("m"), SessionCreated)
    assert_type(await ml.memory_containers.add_memories("m"), MemoriesAdded)
    assert_type(await ml.memory_containers.get_memory("m", "working", "m"), MemoryDocument)
    assert_type(await ml.memory_containers.update_memory("m", "working", "m", {}), WriteResult)
    assert_type(await ml.memory_containers.delete_memory("m", "working", "m"), WriteResult)
    assert_type(await ml.memory_containers.search_memories("m", "working"), Hits[MemoryDocument])
    async for memory in ml.memory_containers.search_memories("m", "working"):
        assert_type(memory, Hit[MemoryDocument])
    assert_type(await ml.memory_containers.delete_memories("m", "working"), DeletedByQuery)
    assert_type(await ml.memory_containers.semantic_search("m", "a text"), Hits[MemoryDocument])
    assert_type(await ml.memory_containers.hybrid_search("m", "a text"), Hits[MemoryDocument])


async def context_management(ml: Session) -> None:
    assert_type(await ml.context_management.create("t"), ContextManagementStatus)
    assert_type(await ml.context_management.get("t"), ContextManagementTemplate)
    assert_type(await ml.context_management.list(), ContextManagementTemplates)
    assert_type(await ml.context_management.update("t"), WriteResult)
    assert_type(await ml.context_management.delete("t"), ContextManagementStatus)


async def agentic_search_templates(ml: Session) -> None:
    assert_type(await ml.agentic_search_templates.register("t", index="an-index"), AgenticSearchTemplateStatus)
    assert_type(await ml.agentic_search_templates.get("t"), AgenticSearchTemplate)
    assert_type(await ml.agentic_search_templates.list(), AgenticSearchTemplateList)
    assert_type(await ml.agentic_search_templates.update("t"), WriteResult)
    assert_type(await ml.agentic_search_templates.delete("t"), AgenticSearchTemplateStatus)


async def index_insight(ml: Session) -> None:
    assert_type(await ml.index_insight.put_config(True), Acknowledged)
    assert_type(await ml.index_insight.get_config(), InsightConfig)
    assert_type(await ml.index_insight.get("i", "ALL"), InsightFound)


async def mcp(ml: Session) -> None:
    assert_type(await ml.mcp.register_tools([McpTool(name="t", type="ListIndexTool")]), dict[str, McpNode])
    assert_type(await ml.mcp.update_tools([McpTool(name="t", type="ListIndexTool")]), dict[str, McpNode])
    assert_type(await ml.mcp.remove_tools(["t"]), dict[str, McpNode])
    assert_type(await ml.mcp.list_tools(), McpTools)
    assert_type(await ml.mcp.call("tools/list"), JsonRpc | None)
    await ml.mcp.open_stream()
    assert_type(await ml.mcp.list_connector_tools("c"), ConnectorTools)
