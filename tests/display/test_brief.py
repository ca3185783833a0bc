"""Reprs: one line, of bounded length, with what matters, without credentials, at any size of the value."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

import attrs
import numpy as np
import pandas as pd  # type: ignore[import-untyped]
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiomlcommons import ENDPOINTS, NULL, MLSettings, Secret
from aiomlcommons.api.agents import Agent, ToolSpec
from aiomlcommons.api.common import Found, Hit, Hits, Shards, Total
from aiomlcommons.api.connectors import ConnectorAction, HttpConnector
from aiomlcommons.api.model_configs import ModelConfig, TextEmbeddingModelConfig
from aiomlcommons.api.model_records import Model, ModelState
from aiomlcommons.api.models import DeployModel, GetModel, SearchModels
from aiomlcommons.api.predict import Predict
from aiomlcommons.api.tasks import TaskInfo
from aiomlcommons.api.tensors import NumberTensor
from aiomlcommons.display.brief import brief
from aiomlcommons.endpoint import Request, fields_of
from aiomlcommons.record import Record, masked, record
from aiomlcommons.wire.codec import from_http
from aiomlcommons.wire.routes import Router, read_request
from tests.support.strategies import answers, requests
from tests.wire.recordings import exchanges

HUSH = "h0sh"
LONGEST = 420
"""Characters of the longest repr: about 200 for the fields, and the names, ids and states of what is in them."""


class Broken:
    """A value that cannot be shown."""

    def __repr__(self) -> str:
        raise RuntimeError("no")


# ---- what is shown -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (Model(), "Model()"),
        (
            Model(name="m", model_state=ModelState.DEPLOYED, model_version="1", current_worker_node_count=2),
            "Model(name='m', model_state='DEPLOYED', model_version='1', current_worker_node_count=2)",
        ),
        (DeployModel("m", node_ids=["n"]), "DeployModel(model_id='m', node_ids=['n'])"),
        (SearchModels(), "SearchModels()"),
        (MLSettings(only_run_on_ml_node=False, max_json_size=NULL), None),
        (ModelConfig(model_type="bert", extra={"new": 1}), "ModelConfig(model_type='bert', extra={'new': 1})"),
        (
            TextEmbeddingModelConfig(model_type="bert", embedding_dimension=3, framework_type="x"),
            "TextEmbeddingModelConfig(model_type='bert', embedding_dimension=3, framework_type='x')",
        ),
    ],
    ids=lambda value: type(value).__name__,
)
def test_only_fields_that_are_set_are_shown(value: Any, shown: str | None) -> None:
    assert repr(value) == str(value) == (shown or "MLSettings(only_run_on_ml_node=False, max_json_size=NULL)")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("x" * 61, f"'{'x' * 60}' … 1 more"),
        ("x" * 60, f"'{'x' * 60}'"),
        (["n"] * 200, "[" + "'n', " * 29 + "… 171 more]"),
        (list(range(3)), "[0, 1, 2]"),
        ((1,), "(1,)"),
        (set(), "set()"),
        ({1}, "{1}"),
        (frozenset({1}), "frozenset([1])"),
        (deque([1]), "deque([1])"),
        ({"a": {"b": [1]}}, "{'a': {'b': [1]}}"),
        (b"\x00" * 2_000, "<2,000 bytes>"),
        (np.zeros((2, 384), np.float32), "<float32 (2, 384)>"),
        (pd.Series([1.0]), "<float64 (1,)>"),
        (pd.DataFrame({"a": [1]}), "<DataFrame (1, 1)>"),
        (1 << 20_000, "<an integer of 20,001 bits>"),
        (Broken(), "<Broken>"),
        ([Broken(), 1], "[<Broken>, 1]"),
        (1.5, "1.5"),
        (None, "None"),
        (ModelState.DEPLOYED, "'DEPLOYED'"),
        ("\x00" * 100, f"{chr(0) * 14!r} … 86 more"),
        ([[[[[[1]]]]]], "[[[[[[1]]]]]]"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_value_is_shown_in_short(value: Any, shown: str) -> None:
    assert brief(value) == shown


def test_a_model_of_a_server_is_one_line_with_what_matters() -> None:
    router = Router(ENDPOINTS)
    models = [
        from_http(read_request(match, e.request), e.response)
        for e in exchanges()
        if (match := router.find(e.request.method, e.request.path)) and match.request is GetModel
        if e.response.status < 300
    ]
    assert len(models) > 20
    for model in models:
        assert len(repr(model)) < 260
        assert f"model_state={str(model.model_state)!r}" in repr(model)
        assert f"name={str(model.name)!r}" in repr(model)


def test_a_name_an_id_and_a_state_are_never_left_out() -> None:
    long: dict[str, Any] = {
        field.name: "x" * 50 for field in fields_of(TaskInfo) if field.type and "str" in str(field.type)
    }
    task = TaskInfo(**{**long, "task_id": "the id", "state": "RUNNING"})
    assert "task_id='the id'" in repr(task)
    assert "state='RUNNING'" in repr(task)
    assert "model_state='DEPLOYED'" in repr(Model(name="n" * 500, description="d" * 500, model_state="DEPLOYED"))
    deep = {"a": [{"b": Agent(name="deep", description="x" * 500, tools=[ToolSpec("t")] * 50)}]}
    assert "Agent(name='deep'" in brief(deep)


def test_a_page_shows_how_many_there_are_and_its_first_hits_by_id() -> None:
    hits = [Hit("i", f"id {number}", 1.0, Model(name=f"m{number}", model_state="DEPLOYED")) for number in range(50)]
    page = Hits(1, False, Shards(1, 1, 0), Found(1.0, hits, Total(70, "eq")))
    assert repr(page).startswith("Hits(total=70, [Hit(id='id 0', score=1.0, source=Model(name='m0'")
    assert repr(page).endswith("more])")
    assert len(repr(page)) < LONGEST


def test_a_vector_is_cut_after_its_first_numbers() -> None:
    tensor = NumberTensor(data_type="FLOAT32", shape=[384], data=[0.5] * 384, name="sentence_embedding")
    assert repr(tensor).startswith(
        "NumberTensor(name='sentence_embedding', data_type='FLOAT32', shape=[384], data=[0.5"
    )
    assert "… " in repr(tensor)


# ---- length and cost -----------------------------------------------------------------------------------------------

ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.dates() | st.decimals(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(st.text(), inner)
        | st.tuples(inner, inner)
        | inner.map(lambda x: {"x" * 99: x})
    ),
)


@given(ANY)
@settings(max_examples=200, deadline=None)
def test_any_value_is_shown_in_one_short_line(value: Any) -> None:
    shown = brief(value)
    assert len(shown) <= LONGEST
    assert "\n" not in shown


@pytest.mark.parametrize("cls", ENDPOINTS, ids=lambda cls: cls.__name__)
@given(data=st.data())
@settings(max_examples=3, deadline=None)
def test_any_request_and_its_answer_are_shown_in_one_short_line(cls: type[Request[Any]], data: st.DataObject) -> None:
    for value in (data.draw(requests(cls)), data.draw(answers(cls))):
        if isinstance(value, Record | Request):
            assert len(repr(value)) <= LONGEST
            assert "\n" not in repr(value)


def test_what_is_huge_is_shown_as_fast_as_what_is_small() -> None:
    class Counting(list[Any]):
        taken = 0

        def __iter__(self) -> Iterator[Any]:
            for item in super().__iter__():
                Counting.taken += 1
                yield item

    texts = Counting(["x" * 10_000_000] * 100_000)
    assert "more" in repr(Predict("text_embedding", "m", text_docs=texts))
    assert Counting.taken <= 10


def test_a_value_that_contains_itself_is_shown() -> None:
    loop: dict[str, Any] = {}
    loop["loop"] = [loop]
    assert len(brief(loop)) < LONGEST


# ---- credentials ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("before", [0, 30, 55, 59, 100])
@pytest.mark.parametrize("length", [4, 100, 2_500])
@pytest.mark.parametrize(
    "form", ["https://me:{}@host/", "https://host/?a=b&api_key={}", "ftp://h/?X-Amz-Signature={}&c"]
)
def test_no_cut_shows_a_part_of_a_credential(before: int, length: int, form: str) -> None:
    text = "x" * before + " " + form.format(HUSH * (length // 4)) + " " + "y" * 5_000
    for value in (text, [text], {"a": text}, ConnectorAction("predict", "POST", text)):
        assert HUSH not in brief(value)


@pytest.mark.parametrize(
    "value",
    [
        ConnectorAction("predict", "POST", "u", headers={"x-api-key": HUSH, "accept": "*/*"}),
        ToolSpec("T", parameters={"api_key": HUSH, "deep": [{"session_token": HUSH}]}),
        ConnectorAction("a", "b", "c", headers={"own": HUSH}),
        ToolSpec("T", config={"headers": {"x-own": HUSH}}),
        {"a" * 300 + "_token": HUSH},
        HttpConnector(credential={"k": HUSH}, actions=[ConnectorAction("a", "b", "c", headers={"own": HUSH})]),
        {"a": Secret(HUSH)},
        Model(extra={"password": HUSH}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_credentials_are_masked_at_any_depth(value: Any) -> None:
    assert HUSH not in brief(value)
    assert HUSH not in brief([{"deep": [value]}])


def test_a_subclass_that_attrs_gives_a_repr_masks_too() -> None:
    @record
    class Own(Record):
        key: str | None = masked(default=None)
        parameters: dict[str, str] | None = None
        headers: dict[str, str] | None = None

    @attrs.frozen
    class Plain(Own):
        more: int = 0

    given: Any = {"key": HUSH, "parameters": {"api_key": HUSH}, "headers": {"x": HUSH}}
    shown = repr(Plain(**given))
    assert HUSH not in shown
    assert shown.count("***") == 3


def test_a_placeholder_and_what_is_harmless_stay_readable() -> None:
    headers = {"Authorization": "Bearer ${credential.key}", "accept": "*/*"}
    assert repr(headers) in repr(ConnectorAction("predict", "POST", "u", headers=headers))
