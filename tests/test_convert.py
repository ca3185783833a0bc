"""Between wire data and types: strict, lossless, and clear about what does not fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from aiomlcommons import NULL, Secret, convert
from aiomlcommons.api.agentic_memory import LongTermMemory, MemoryDocument, MemoryHistory, MemorySession, WorkingMemory
from aiomlcommons.api.agents import AgentAnswer, AgentMessage, AgentTask, AgentTensors
from aiomlcommons.api.common import Hits
from aiomlcommons.api.memory_containers import MemoryConfiguration, RetentionRule
from aiomlcommons.api.model_groups import ModelGroup
from aiomlcommons.api.models import ModelConfig
from aiomlcommons.api.tasks import TaskInfo, TaskState
from aiomlcommons.convert import Unreadable

# A union is no class to a type checker.
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
            "$.hits.hits[0].source.name",
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
