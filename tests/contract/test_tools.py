"""Contract tests: tools."""

from __future__ import annotations

import pytest

from aiomlcommons import BadRequest, NotFound, Session
from aiomlcommons.api.tensors import TextTensor
from tests.support.contract.chat import chat_model
from tests.support.model_server import serve as serve_model

pytestmark = [pytest.mark.asyncio, pytest.mark.since("2.12", "tools")]
ALWAYS = {"ListIndexTool", "MLModelTool", "AgentTool", "SearchIndexTool", "IndexMappingTool", "VisualizationTool"}


async def test_tools_are_listed_and_looked_up(ml: Session) -> None:
    tools = {tool.name: tool for tool in await ml.tools.list()}
    assert tools.keys() >= ALWAYS
    tool = await ml.tools.get("MLModelTool")
    assert (tool.type, tool.description, tool.extra) == ("MLModelTool", "Use this tool to run any model.", {})
    with pytest.raises(NotFound, match="NoSuchTool"):
        await ml.tools.get("NoSuchTool")


@pytest.mark.since("3.3", "running a tool without an agent")
async def test_a_tool_runs_without_an_agent(ml: Session, unique: str, loopback: str) -> None:
    async with serve_model(loopback) as url, chat_model(ml, unique, url) as model_id:
        asked = {"model_id": model_id, "prompt": "six times seven?", "response_field": "choices"}
        answer = await ml.tools.execute("MLModelTool", parameters=asked)
    (tensor,) = answer.tensors
    assert isinstance(tensor, TextTensor)
    assert "The answer is 42." in tensor.result


@pytest.mark.since("3.3", "running a tool without an agent")
async def test_a_tool_that_is_not_there_does_not_run(ml: Session) -> None:
    with pytest.raises(BadRequest, match="NoSuchTool"):
        await ml.tools.execute("NoSuchTool", parameters={"input": "x"})
