"""Conversion between wire data and types: strict, lossless, with clear errors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import pytest

from aiomlcommons import NULL, InvalidRequest, Secret
from aiomlcommons.api.agent_runs import AgentAnswer, AgentMessage, AgentTask, AgentTensors
from aiomlcommons.api.common import AccessMode, Hits
from aiomlcommons.api.connectors import CreateConnector
from aiomlcommons.api.memory_containers import MemoryConfiguration, RetentionRule
from aiomlcommons.api.memory_documents import (
    LongTermMemory,
    MemoryDocument,
    MemoryHistory,
    MemorySession,
    WorkingMemory,
)
from aiomlcommons.api.model_configs import ModelConfig
from aiomlcommons.api.model_groups import ModelGroup
from aiomlcommons.api.model_registration import RegisterModel
from aiomlcommons.api.predict import DataFrame
from aiomlcommons.api.tasks import TaskInfo, TaskState
from aiomlcommons.wire import convert
from aiomlcommons.wire.codec import to_http
from aiomlcommons.wire.convert import Unreadable

# To a type checker a union is not a class.
ANSWER: Any = AgentAnswer
DOCUMENT: Any = MemoryDocument
HITS = {"took": 1, "timed_out": False, "_shards": {"total": 1, "successful": 1, "failed": 0}}


def hits(*found: Any) -> dict[str, Any]:
    return {**HITS, "hits": {"max_score": None, "hits": list(found)}}


def test_unknown_keys_are_kept_and_written_back() -> None:
    data = {"name": "g", "brand_new": {"deep": [1]}, "latest_version": 1}
    group = convert.structure(data, ModelGroup)
    assert group.extra == {"brand_new": {"deep": [1]}}
    assert convert.unstructure(group) == data


def test_unknown_words_stay_strings_and_known_ones_are_enums() -> None:
    assert convert.structure({"state": "RUNNING"}, TaskInfo).state is TaskState.RUNNING
    unknown = convert.structure({"state": "PONDERING"}, TaskInfo).state
    assert (type(unknown), unknown) == (str, "PONDERING")


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (None, {}),
        (NULL, {"retention_policy": None}),
        ({"sessions": RetentionRule(max_count=NULL)}, {"retention_policy": {"sessions": {"max_count": None}}}),
    ],
)
def test_null_is_told_from_absent(value: Any, written: dict[str, Any]) -> None:
    configuration = MemoryConfiguration(retention_policy=value)
    assert convert.unstructure(configuration) == written
    assert convert.structure(written, MemoryConfiguration) == configuration


@pytest.mark.parametrize(
    ("data", "cls", "problem"),
    [
        ({"name": 5}, ModelGroup, "expected str, got 5 @ $.name"),
        ({"latest_version": "1"}, ModelGroup, "expected int, got '1' @ $.latest_version"),
        ({"latest_version": True}, ModelGroup, "expected int, got True @ $.latest_version"),
        ({"latest_version": 1.5}, ModelGroup, "expected int, got 1.5 @ $.latest_version"),
        ({"backend_roles": "abc"}, ModelGroup, "expected list, got 'abc' @ $.backend_roles"),
        ({"backend_roles": ["a", 1]}, ModelGroup, "expected a string, got 1 @ $.backend_roles[1]"),
        ({"is_async": "true"}, TaskInfo, "expected bool, got 'true' @ $.is_async"),
        ({"additional_config": [1]}, ModelConfig, "expected Mapping, got an array @ $.additional_config"),
        ({"owner": "alice"}, ModelGroup, "expected User, got 'alice' @ $.owner"),
        ([], ModelGroup, "expected an object, got an array @ $"),
        (HITS, Hits[ModelGroup], "required key 'hits' is missing @ $"),
        (hits({"_index": "i"}), Hits[ModelGroup], "required key '_id' is missing @ $.hits.hits[0]"),
        (
            hits({"_index": "i", "_id": "x", "_score": 1, "_source": {"name": 1}}),
            Hits[ModelGroup],
            "$.hits.hits[0]._source.name",
        ),
    ],
)
def test_what_does_not_fit_is_named_with_its_path(data: Any, cls: Any, problem: str) -> None:
    with pytest.raises(Unreadable) as caught:
        convert.structure(data, cls)
    assert problem in str(caught.value)


def test_every_problem_is_told_at_once() -> None:
    with pytest.raises(Unreadable) as caught:
        convert.structure({"name": 1, "latest_version": "x"}, ModelGroup)
    assert len(caught.value.problems) == 2


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        ({"task_id": "t", "status": "RUNNING"}, AgentTask),
        ({"message": {"role": "assistant"}, "memory_id": "m"}, AgentMessage),
        ({"inference_results": []}, AgentTensors),
        ({}, AgentTensors),
    ],
)
def test_an_agents_answer_is_one_of_three(data: Mapping[str, Any], kind: type) -> None:
    assert type(convert.structure(data, ANSWER)) is kind


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        ({"payload_type": "data", "infer": False}, WorkingMemory),
        ({"memory": "likes tea", "strategy_type": "SEMANTIC"}, LongTermMemory),
        ({"memory_id": "m", "action": "ADD"}, MemoryHistory),
        ({"summary": "s"}, MemorySession),
    ],
)
def test_a_memory_is_told_by_what_it_holds(data: Mapping[str, Any], kind: type) -> None:
    assert type(convert.structure(data, DOCUMENT)) is kind


def test_a_value_of_the_class_itself_is_taken_as_it_is() -> None:
    config = ModelConfig(model_type="bert")
    assert convert.structure(config, ModelConfig) is config


def test_secrets_are_revealed_on_the_wire_only() -> None:
    secret = convert.structure("hush", Secret)
    assert "hush" not in f"{secret!r} {secret}"
    assert convert.unstructure({"key": secret}) == {"key": "hush"}
    assert convert.structure(secret, Secret) is secret


@pytest.mark.parametrize("numbers", [[], [1, 2.5], [0.1] * 384])
def test_vectors_are_passed_through_untouched(numbers: Sequence[float]) -> None:
    assert convert.structure(numbers, list[float]) is numbers


# ---- objects that are none, and words that are closed ----------------------------------------------------------------


@pytest.mark.parametrize("wrong", ["text", 5, [1], {"a": 1}, None])
def test_what_is_no_object_of_its_class_is_left_for_the_check_to_refuse(wrong: Any) -> None:
    assert convert.unstructure(wrong, ModelConfig) == wrong


def test_a_dict_inside_a_typed_list_is_read_and_text_is_no_list() -> None:
    assert convert.unstructure("abc", list[ModelConfig]) == "abc"
    assert convert.unstructure([{"a": 1}, ModelConfig(model_type="x")], list[ModelConfig]) == [
        {"a": 1},
        {"model_type": "x"},
    ]


@pytest.mark.parametrize("cls", [str, int, bool, float, bytes, list[str], dict[str, str], ModelConfig])
@pytest.mark.parametrize("data", [None, object(), 1 + 2j])
def test_what_is_no_wire_data_is_refused_for_every_type(cls: Any, data: Any) -> None:
    with pytest.raises(Unreadable, match="expected"):
        convert.structure(data, cls)


@pytest.mark.parametrize(
    ("cls", "data"),
    [
        (str, 1),
        (str, b"a"),
        (int, True),
        (int, 1.0),
        (int, "1"),
        (float, True),
        (float, "1"),
        (bool, 1),
        (bytes, "a"),
        (list[str], "abc"),
        (list[int], "12"),
    ],
)
def test_nothing_is_converted_on_the_quiet(cls: Any, data: Any) -> None:
    with pytest.raises(Unreadable):
        convert.structure(data, cls)


def test_a_whole_number_is_a_number() -> None:
    assert convert.structure(1, float) == 1


def test_secrets_are_not_shown_when_they_do_not_fit() -> None:
    with pytest.raises(Unreadable, match=r"a secret must be a string, not int"):
        convert.structure(5, Secret)


@pytest.mark.parametrize(
    ("data", "declared", "words"),
    [
        (None, ModelConfig, "expected an object, got null @ $"),
        ({}, list[str], "expected an array, got an object @ $"),
        (b"x", str, "expected a string, got bytes @ $"),
        ([1.5], dict[str, str], "expected an object, got an array @ $"),
        ("a" * 200, int, "expected an integer, got '" + "a" * 79 + " @ $"),
        ("nope", Literal["a", "b"], "expected 'a' or 'b', got 'nope' @ $"),
        ("nope", AccessMode | None, "expected 'public' or 'private' or 'restricted', got 'nope' @ $"),
        ("nope", Literal["a"] | int, "got 'nope' @ $"),
        ([{"name": "g"}, {"name": 1}], list[ModelGroup], "expected str, got 1 @ $[1].name"),
        ({"column_metas": [{"name": "a", "column_type": "INTEGER"}], "rows": 5}, DataFrame, "got 5 @ $.rows"),
    ],
)
def test_a_problem_says_what_was_wanted_what_came_and_where(data: Any, declared: Any, words: str) -> None:
    with pytest.raises(Unreadable) as caught:
        convert.structure(data, declared)
    assert words in str(caught.value)


@pytest.mark.parametrize("word", ["public", AccessMode.PUBLIC])
def test_a_word_of_a_closed_set_may_be_text_or_the_word_itself(word: str) -> None:
    declared: Any = AccessMode | Literal["public", "private", "restricted"] | None
    assert convert.structure(word, declared) is AccessMode.PUBLIC


@pytest.mark.parametrize("credential", ["hush", {"key": 5551234}, ["hush"], {"key": {"a": "hush"}}])
def test_a_secret_that_does_not_fit_is_not_shown(credential: Any) -> None:
    nested = RegisterModel("m", connector=CreateConnector("c", version=1, protocol="http", credential=credential))
    for request in (CreateConnector("c", version=1, protocol="http", credential=credential), nested):
        with pytest.raises(InvalidRequest, match=r"got \*\*\* @ \$\S*\.credential") as caught:
            to_http(request)
        assert "hush" not in str(caught.value)
        assert "5551234" not in str(caught.value)
