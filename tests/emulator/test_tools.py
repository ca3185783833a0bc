"""Tools, beyond the recordings."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import orjson
import pytest
import pytest_asyncio

from aiomlcommons import ApiError, BadRequest, NotFound, Session
from aiomlcommons.api.settings import MLSettings
from aiomlcommons.api.tensors import TextTensor
from aiomlcommons.emulator.connectors.templates import fill, open_places
from aiomlcommons.emulator.json_paths import look_up
from tests.support import model_server
from tests.support.contract.chat import chat_model
from tests.support.emulated_models import ALLOWED

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture
async def model_id(ml: Session) -> AsyncGenerator[str]:
    await ml.settings.apply(ALLOWED)
    async with model_server.serve() as url, chat_model(ml, "chat", url) as model_id:
        yield model_id


async def _run(ml: Session, name: str, **parameters: object) -> str:
    (tensor,) = (await ml.tools.execute(name, parameters=parameters)).tensors
    assert isinstance(tensor, TextTensor)
    assert tensor.name == "response"
    return tensor.result


async def test_every_tool_that_is_listed_can_be_looked_up_without_attributes(ml: Session) -> None:
    for tool in await ml.tools.list():
        found = await ml.tools.get(tool.name or "")
        assert (found.description, found.attributes) == (tool.description, None)


async def test_the_list_of_indices_is_that_of_the_emulator(ml: Session) -> None:
    await ml.model_groups.register("a")
    await ml.model_groups.register("b")
    table = await _run(ml, "ListIndexTool")
    header, *rows = [line.split(",") for line in table.splitlines()]
    assert all(len(row) == len(header) for row in rows)
    found = {row[3]: row for row in rows}
    assert found.keys() == {".plugins-ml-model-group", ".plugins-ml-config"}
    group = found[".plugins-ml-model-group"]
    assert group[7] == "2"
    assert group[-1].endswith("b")
    assert await _run(ml, "ListIndexTool") == table


@pytest.mark.parametrize("wanted", [[".plugins-ml-config"], ["*config"]])
async def test_indices_are_chosen_by_name(ml: Session, wanted: list[str]) -> None:
    await ml.model_groups.register("a")
    _, row = (await _run(ml, "ListIndexTool", indices=wanted)).splitlines()
    assert ".plugins-ml-config" in row


async def test_indices_that_are_not_there(ml: Session) -> None:
    assert "no results searching the indices parameter" in await _run(ml, "ListIndexTool", indices=["nope*"])
    with pytest.raises(NotFound, match=r"no such index \[nope\]"):
        await ml.tools.execute("ListIndexTool", parameters={"indices": ["nope"]})
    for indices in ("nope", '"nope"', 5):
        with pytest.raises(BadRequest, match="JSON list of names"):
            await ml.tools.execute("ListIndexTool", parameters={"indices": indices})


async def test_a_model_answers_with_the_field_that_is_wanted_or_with_all(ml: Session, model_id: str) -> None:
    choices = orjson.loads(await _run(ml, "MLModelTool", model_id=model_id, prompt="x", response_field="choices"))
    assert choices[0]["message"]["content"] == "The answer is 42."
    whole = orjson.loads(await _run(ml, "MLModelTool", model_id=model_id, prompt="x"))
    assert whole["choices"] == choices
    assert isinstance(choices[0]["index"], int)


async def test_the_input_of_a_tool_may_hold_its_parameters(ml: Session, model_id: str) -> None:
    answer = await _run(
        ml, "MLModelTool", model_id=model_id, word="tea", input='{"prompt": "please repeat ${parameters.word}"}'
    )
    assert "please repeat tea" in answer


async def test_a_model_tool_needs_a_model_that_answers_with_a_map(ml: Session, model_id: str, dense: str) -> None:
    with pytest.raises(BadRequest, match="Model ID can't be null or empty"):
        await ml.tools.execute("MLModelTool", parameters={"prompt": "x"})
    with pytest.raises(NotFound, match="Failed to find model"):
        await ml.tools.execute("MLModelTool", parameters={"prompt": "x", "model_id": "nope"})
    with pytest.raises(BadRequest, match="bad input") as caught:
        await ml.tools.execute("MLModelTool", parameters={"prompt": "please fail", "model_id": model_id})
    assert caught.value.type == "OpenSearchStatusException"
    with pytest.raises(BadRequest, match="Empty text docs"):
        await ml.tools.execute("MLModelTool", parameters={"prompt": "x", "model_id": dense})


async def test_what_the_emulator_cannot_run_it_names(ml: Session) -> None:
    with pytest.raises(ApiError, match="cannot run IndexMappingTool, only ListIndexTool, MLModelTool") as caught:
        await ml.tools.execute("IndexMappingTool", parameters={"index": ["i"]})
    assert (caught.value.status, caught.value.type) == (501, "not_emulated")


async def test_tools_may_be_switched_off(ml: Session) -> None:
    await ml.settings.apply(MLSettings(execute_tools_enabled=False))
    with pytest.raises(ApiError, match="Execute Tool API is not enabled"):
        await ml.tools.execute("ListIndexTool", parameters={})


async def test_a_place_may_have_a_value_for_want_of_another() -> None:
    assert fill("${parameters.a:-x}${parameters.b:-}${parameters.c}", {"parameters": {}}) == "x${parameters.c}"
    assert fill("${parameters.a:-x}", {"parameters": {"a": "y"}}) == "y"
    assert open_places("${parameters.c} ${credential.d} ${parameters.e:-}") == ["c", "e"]


async def test_places_that_come_in_with_a_value_are_filled_and_a_circle_ends() -> None:
    values = {
        "parameters": {"prompt": 'say "${parameters.q}"', "q": "a\nb", "x": "${parameters.y}", "y": "${parameters.x}"}
    }
    assert fill('{"p": "${parameters.prompt}"}', values, in_json=True) == r'{"p": "say \"a\nb\""}'
    assert fill("${parameters.x}", values) == "${parameters.x}"


async def test_parameters_may_go_into_json_as_they_are() -> None:
    values = {"parameters": {"tools": '{"a": 1}, {"b": "${parameters.q}"}', "q": '"'}}
    filled = fill("[${parameters.tools}]", values, in_json=True, as_is=["tools"])
    assert orjson.loads(filled) == [{"a": 1}, {"b": '"'}]


@pytest.mark.parametrize(
    ("path", "found"),
    [("$", {"a": [{"b c": 1}]}), ("$.a[0]['b c']", 1), ("$.a[1]", None), ("$.a.b", None), ("$.x[0].y", None)],
)
async def test_paths_lead_into_values(path: str, found: object) -> None:
    assert look_up({"a": [{"b c": 1}]}, path) == found
