"""What pipelines and semantic fields are found to do with documents."""

from __future__ import annotations

from typing import Any

import pytest

from aiomlcommons import Session
from aiomlcommons.ingest import IndexSink
from aiomlcommons.ingest.server_side.plan import Output, Plan, Step

pytestmark = pytest.mark.asyncio


def plan_of(*processors: Any, others: Any = None) -> Plan:
    plan = Plan(IndexSink(Session("http://localhost:9200"), "docs", pipeline="p"))
    plan.add(processors, others or {}, ("p",))
    return plan


def embedding(field_map: Any, kind: str = "text_embedding", **config: Any) -> Any:
    return {kind: {"model_id": "m", "field_map": field_map, **config}}


async def test_a_processor_reads_fields_and_writes_vectors() -> None:
    found = plan_of(embedding({"title": "title_vector", "body": "body_vector"}, batch_size=16))
    assert found.steps == [Step("its processor text_embedding", "m", 16, sparse=False)]
    assert found.inputs == ["title", "body"]
    assert [output.field for output in found.outputs] == ["title_vector", "body_vector"]


async def test_the_smallest_batch_size_counts_and_is_one_where_it_is_not_given() -> None:
    dense, sparse = embedding({"a": "v"}, batch_size=16), embedding({"a": "w"}, "sparse_encoding", batch_size=8)
    assert plan_of(dense, sparse).batch_size == 8
    assert plan_of(dense, embedding({"a": "w"}, "sparse_encoding")).batch_size == 1
    assert plan_of(dense, sparse).inputs == ["a"]
    assert plan_of(dense, sparse).model_ids == ["m"]


async def test_chunks_are_read_from_the_field_that_is_split_and_embedded_in_nested_objects() -> None:
    chunking = {"text_chunking": {"algorithm": {}, "field_map": {"text": "chunks"}}}
    found = plan_of(chunking, embedding({"chunks": "vectors"}))
    assert found.inputs == ["text"]
    assert found.outputs == [Output("vectors", sparse=False, model_id="m", listed=True)]
    assert found.outputs[0].name == "knn"


async def test_fields_of_objects_are_paths_whose_vectors_are_in_the_same_objects() -> None:
    found = plan_of(embedding({"meta": {"title": "vector"}, "a.b": "w", "c": "d.e"}))
    assert found.inputs == ["meta.title", "a.b", "c"]
    assert [output.field for output in found.outputs] == ["meta.vector", "a.w", "d.e"]


async def test_a_field_that_another_processor_makes_need_not_be_in_the_documents() -> None:
    assert plan_of({"set": {"field": "text", "value": "{{a}} {{b}}"}}, embedding({"text": "v"})).inputs == []
    assert plan_of({"rename": {"field": "a", "target_field": "text"}}, embedding({"text": "v"})).inputs == []
    assert plan_of({"set": {"field": "other", "value": 1}}, embedding({"text": "v"})).inputs == ["text"]
    assert plan_of({"script": {"source": "..."}}, embedding({"text": "v"})).inputs == []
    assert plan_of(embedding({"text": "v"}), {"script": {"source": "..."}}).inputs == ["text"]


@pytest.mark.parametrize("name", ["trim", "lowercase", "html_strip"])
async def test_a_field_that_a_processor_changes_in_its_place_must_be_in_the_documents(name: str) -> None:
    found = plan_of({name: {"field": "text", "ignore_missing": True}}, embedding({"text": "v"}))
    assert (found.inputs, found.sure) == (["text"], True)


async def test_a_text_that_is_split_in_its_place_has_a_vector_for_each_part() -> None:
    assert plan_of({"split": {"field": "text", "separator": ";"}}, embedding({"text": "v"})).outputs[0].listed


async def test_a_processor_with_a_condition_needs_no_field() -> None:
    found = plan_of(embedding({"text": "v"}, **{"if": "ctx.lang == 'en'"}))
    assert (found.inputs, len(found.steps)) == ([], 1)


async def test_pipelines_within_pipelines_are_followed_once() -> None:
    inner = {"inner": {"processors": [embedding({"text": "v"}), {"pipeline": {"name": "inner"}}]}}
    assert plan_of({"pipeline": {"name": "inner"}}, others=inner).inputs == ["text"]
    assert not plan_of({"pipeline": {"name": "unknown"}}, others=inner).sure


async def test_what_a_processor_says_of_the_pipeline_that_it_runs_is_for_all_processors_of_that() -> None:
    inner = {"inner": {"processors": [embedding({"text": "v"})]}}
    found = plan_of({"pipeline": {"name": "inner", "if": "ctx.text != null"}}, others=inner)
    assert (found.inputs, [output.field for output in found.outputs]) == ([], ["v"])
    assert plan_of({"pipeline": {"name": "inner", "ignore_failure": True}}, others=inner).steps[0].forgives


@pytest.mark.parametrize(
    ("config", "missing"),
    [
        ({}, ["gone"]),
        ({"if": "ctx.a != null"}, []),
        ({"ignore_missing_pipeline": True}, []),
        ({"ignore_failure": True}, []),
        ({"name": "{{ctx.name}}"}, []),
    ],
)
async def test_a_pipeline_that_each_document_would_look_for_is_missing(config: Any, missing: list[str]) -> None:
    assert plan_of({"pipeline": {"name": "gone", **config}}).missing == missing


async def test_failures_that_a_processor_ignores_are_noted() -> None:
    assert plan_of(embedding({"text": "v"}, ignore_failure=True)).steps[0].forgives
    assert plan_of(embedding({"text": "v"}, on_failure=[{"set": {"field": "a"}}])).steps[0].forgives


async def test_what_other_processors_send_to_a_model_is_not_known() -> None:
    found = plan_of({"ml_inference": {"model_id": "m", "input_map": [{"text": "a"}]}}, embedding({"text": "v"}))
    assert [step.sparse for step in found.steps] == [None, False]
    assert (found.inputs, found.batch_size, found.sure) == ([], 1, False)


async def test_semantic_fields_are_embedded_by_themselves() -> None:
    semantic = {"type": "semantic", "model_id": "s"}
    found = plan_of()
    found.mappings = {"properties": {"text": semantic, "meta": {"properties": {"title": semantic}}}}
    found.add_semantic()
    assert found.inputs == ["text", "meta.title"]
    assert (found.batch_size, found.outputs) == (10, [])
