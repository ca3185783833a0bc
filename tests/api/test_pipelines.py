"""Pipelines: their processors as classes, on the wire and read back; what is refused before anything is sent."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from aiomlcommons import HttpResponse, InvalidRequest, NotSupported, Request
from aiomlcommons.api.pipelines import (
    CreatePipeline,
    GetPipelines,
    IngestDocument,
    IngestPipeline,
    SimulatePipeline,
)
from aiomlcommons.api.processors import (
    AnyProcessor,
    Chunking,
    Delimiter,
    FixedTokenLength,
    MLInference,
    SparseEncoding,
    TextChunking,
    TextEmbedding,
    TextImageEmbedding,
)
from aiomlcommons.api.search_pipelines import CreateSearchPipeline, GetSearchPipelines
from aiomlcommons.api.search_processors import (
    AgenticContext,
    AgenticQueryTranslator,
    HybridScoreExplanation,
    MLInferenceRequest,
    MLInferenceResponse,
    NeuralQueryEnricher,
    NeuralSparseTwoPhase,
    Normalization,
    RankCombination,
    Rerank,
    RerankByField,
    RerankContext,
    RerankModel,
    RetrievalAugmentedGeneration,
    ScoreRanker,
    Technique,
    TwoPhase,
)
from aiomlcommons.http import JSON
from aiomlcommons.wire.codec import from_http, to_http
from aiomlcommons.wire.version import Version, needs_version, route_at

MAP = {"text": "embedding"}
DENSE = {"text_embedding": {"model_id": "m", "field_map": MAP}}


def body(request: Request[Any]) -> Any:
    return orjson.loads(to_http(request).body or b"null")


def answered(request: Request[Any], data: Any) -> Any:
    return from_http(request, HttpResponse(200, orjson.dumps(data), {"content-type": JSON}))


INGEST: list[tuple[AnyProcessor, dict[str, Any]]] = [
    (TextEmbedding("m", MAP), DENSE),
    (
        TextEmbedding("m", {"a": {"b": "c"}}, batch_size=64, skip_existing=True, tag="t", if_="ctx.x != null"),
        {
            "text_embedding": {
                "model_id": "m",
                "field_map": {"a": {"b": "c"}},
                "batch_size": 64,
                "skip_existing": True,
                "tag": "t",
                "if": "ctx.x != null",
            }
        },
    ),
    (
        SparseEncoding("m", MAP, prune_type="max_ratio", prune_ratio=0.1, ignore_failure=True),
        {
            "sparse_encoding": {
                "model_id": "m",
                "field_map": MAP,
                "prune_type": "max_ratio",
                "prune_ratio": 0.1,
                "ignore_failure": True,
            }
        },
    ),
    (
        TextImageEmbedding("m", "vector", {"text": "t", "image": "i"}),
        {"text_image_embedding": {"model_id": "m", "embedding": "vector", "field_map": {"text": "t", "image": "i"}}},
    ),
    (
        TextChunking({"text": "chunks"}, Chunking(FixedTokenLength(8, 0.2, "standard"))),
        {
            "text_chunking": {
                "field_map": {"text": "chunks"},
                "algorithm": {"fixed_token_length": {"token_limit": 8, "overlap_rate": 0.2, "tokenizer": "standard"}},
            }
        },
    ),
    (
        TextChunking({"text": "chunks"}, Chunking(delimiter=Delimiter("\n"))),
        {"text_chunking": {"field_map": {"text": "chunks"}, "algorithm": {"delimiter": {"delimiter": "\n"}}}},
    ),
    (
        MLInference("m", [{"inputs": "text"}], [{"vector": "response"}], description="d"),
        {
            "ml_inference": {
                "model_id": "m",
                "input_map": [{"inputs": "text"}],
                "output_map": [{"vector": "response"}],
                "description": "d",
            }
        },
    ),
]
REQUESTS: list[tuple[AnyProcessor, dict[str, Any]]] = [
    (NeuralQueryEnricher("m"), {"neural_query_enricher": {"default_model_id": "m"}}),
    (
        NeuralSparseTwoPhase(two_phase_parameter=TwoPhase(0.4, expansion_rate=5, max_window_size=50)),
        {
            "neural_sparse_two_phase_processor": {
                "two_phase_parameter": {"prune_ratio": 0.4, "expansion_rate": 5, "max_window_size": 50}
            }
        },
    ),
    (AgenticQueryTranslator("a"), {"agentic_query_translator": {"agent_id": "a"}}),
    (
        MLInferenceRequest("m", [{"i": "q"}], [{"o": "r"}], query_template="{}"),
        {
            "ml_inference": {
                "model_id": "m",
                "input_map": [{"i": "q"}],
                "output_map": [{"o": "r"}],
                "query_template": "{}",
            }
        },
    ),
]
PHASE: list[tuple[AnyProcessor, dict[str, Any]]] = [
    (
        Normalization(Technique("min_max"), Technique("arithmetic_mean", {"weights": [0.3, 0.7]})),
        {
            "normalization-processor": {
                "normalization": {"technique": "min_max"},
                "combination": {"technique": "arithmetic_mean", "parameters": {"weights": [0.3, 0.7]}},
            }
        },
    ),
    (Normalization(), {"normalization-processor": {}}),
    (
        ScoreRanker(RankCombination("rrf", rank_constant=60)),
        {"score-ranker-processor": {"combination": {"technique": "rrf", "rank_constant": 60}}},
    ),
]
RESPONSES: list[tuple[AnyProcessor, dict[str, Any]]] = [
    (
        Rerank(RerankModel("m"), context=RerankContext(["text"])),
        {"rerank": {"ml_opensearch": {"model_id": "m"}, "context": {"document_fields": ["text"]}}},
    ),
    (
        Rerank(by_field=RerankByField("stars", remove_target_field=True)),
        {"rerank": {"by_field": {"target_field": "stars", "remove_target_field": True}}},
    ),
    (MLInferenceResponse("m", one_to_one=True), {"ml_inference": {"model_id": "m", "one_to_one": True}}),
    (
        RetrievalAugmentedGeneration("m", ["text"], user_instructions="Be short."),
        {
            "retrieval_augmented_generation": {
                "model_id": "m",
                "context_field_list": ["text"],
                "user_instructions": "Be short.",
            }
        },
    ),
    (HybridScoreExplanation(), {"hybrid_score_explanation": {}}),
    (AgenticContext(dsl_query=True), {"agentic_context": {"dsl_query": True}}),
]
SEARCH = {"request_processors": REQUESTS, "phase_results_processors": PHASE, "response_processors": RESPONSES}


# ---- on the wire, and back -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("processor", "written"), INGEST, ids=lambda part: getattr(part, "type", ""))
def test_an_ingest_processor_stands_under_its_type(processor: Any, written: Any) -> None:
    http = to_http(CreatePipeline("p", processors=[processor], description="d"))
    assert (http.method, http.path) == ("PUT", "/_ingest/pipeline/p")
    assert body(CreatePipeline("p", processors=[processor], description="d")) == {
        "processors": [written],
        "description": "d",
    }
    read = answered(GetPipelines("p"), {"p": {"processors": [written]}})
    assert read == {"p": IngestPipeline([processor])}
    assert type(processor).from_dict(processor.to_dict()) == processor
    assert processor.to_dict() == written


@pytest.mark.parametrize(
    ("place", "processor", "written"),
    [(place, *row) for place, rows in SEARCH.items() for row in rows],
    ids=lambda part: getattr(part, "type", ""),
)
def test_a_processor_of_a_search_stands_under_its_type(place: str, processor: Any, written: Any) -> None:
    given: dict[str, Any] = {place: [processor]}
    request = CreateSearchPipeline("p", **given)
    assert body(request) == {place: [written]}
    (read,) = getattr(answered(GetSearchPipelines("p"), {"p": {place: [written]}})["p"], place)
    assert read == processor


def test_a_processor_without_a_class_is_a_dict_and_read_back_as_one() -> None:
    others: list[dict[str, Any]] = [{"set": {"field": "a", "value": 1}}, {"set": {}, "lowercase": {"field": "a"}}, {}]
    request = CreatePipeline("p", processors=[*others, TextEmbedding("m", MAP)])
    assert body(request)["processors"] == [*others, DENSE]
    read = answered(GetPipelines(), {"p": {"processors": [*others, DENSE]}})["p"]
    assert read.processors == [*others, TextEmbedding("m", MAP)]


def test_a_dict_of_a_known_type_is_read_as_its_class() -> None:
    request = CreatePipeline("p", processors=[DENSE])
    assert body(request)["processors"] == [DENSE]
    assert CreatePipeline.from_dict(request.to_dict()).processors == [TextEmbedding("m", MAP)]


def test_what_a_server_keeps_of_a_known_type_stays_a_dict_where_its_values_are_odd() -> None:
    odd = {"text_embedding": {"model_id": "m", "field_map": MAP, "batch_size": "10"}}
    read = answered(GetPipelines("p"), {"p": {"processors": [odd, DENSE], "version": 2, "new_key": 1}})["p"]
    assert read.processors == [odd, TextEmbedding("m", MAP)]
    assert (read.version, read.extra) == (2, {"new_key": 1})


def test_options_of_a_later_release_are_kept() -> None:
    later = {"rerank": {"by_field": {"target_field": "stars"}, "brand_new": 1}}
    (read,) = answered(GetSearchPipelines(), {"p": {"response_processors": [later]}})["p"].response_processors
    assert read.extra == {"brand_new": 1}
    assert body(CreateSearchPipeline("p", response_processors=[read])) == {"response_processors": [later]}


# ---- a trial -------------------------------------------------------------------------------------------------------


def test_documents_are_run_through_a_pipeline_by_its_id_or_one_that_is_not_stored() -> None:
    doc = IngestDocument({"text": "a"}, index="i", id="1")
    stored = SimulatePipeline("p", docs=[doc, {"_source": {}}], verbose=True)
    assert (to_http(stored).path, to_http(stored).query) == ("/_ingest/pipeline/p/_simulate", {"verbose": "true"})
    assert body(stored) == {"docs": [{"_index": "i", "_id": "1", "_source": {"text": "a"}}, {"_source": {}}]}
    given = SimulatePipeline(docs=[doc], pipeline=IngestPipeline([TextEmbedding("m", MAP)]))
    assert to_http(given).path == "/_ingest/pipeline/_simulate"
    assert body(given)["pipeline"] == {"processors": [DENSE]}


def test_what_became_of_each_document_is_told() -> None:
    made = {"doc": {"_index": "i", "_id": "1", "_source": {"a": [1]}, "_ingest": {"timestamp": "t"}}}
    failed = {"error": {"type": "illegal_argument_exception", "reason": "no"}}
    steps = {"processor_results": [{"processor_type": "set", "status": "success", "tag": "t", **made}]}
    read = answered(SimulatePipeline("p", docs=[]), {"docs": [made, failed, None, steps]})
    assert len(read) == 4
    assert read[0].doc.source == {"a": [1]}
    assert read[1].error["reason"] == "no"
    assert read[2] is None
    (step,) = read[3].processor_results
    assert (step.processor_type, step.status, step.doc.id) == ("set", "success", "1")


# ---- what is refused before it is sent -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("processor", "problem"),
    [
        (TextEmbedding("m", {}), "field_map must not be empty"),
        (TextEmbedding(5, MAP), "expected a string, got 5"),  # type: ignore[arg-type]
        ({"text_embedding": {"field_map": MAP}}, "required key 'model_id' is missing"),
        (TextEmbedding("m", MAP, batch_size="10"), "expected int, got '10'"),  # type: ignore[arg-type]
        (SparseEncoding("m", MAP, prune_type="top_k"), "prune_type 'top_k' needs a prune_ratio"),
        (SparseEncoding("m", MAP, prune_ratio=0.1), "prune_ratio needs a prune_type, such as 'max_ratio'"),
        (SparseEncoding("m", MAP, prune_type="maxratio"), "did you mean 'max_ratio'"),  # type: ignore[arg-type]
        (
            TextChunking(MAP, Chunking(FixedTokenLength(), Delimiter())),
            "algorithm must be one of fixed_token_length, delimiter, fixed_char_length, not fixed_token_length and",
        ),
    ],
)
def test_an_ingest_processor_that_the_server_would_refuse_is_named(processor: Any, problem: str) -> None:
    name = getattr(processor, "type", "text_embedding")
    with pytest.raises(InvalidRequest, match=rf"CreatePipeline: processors\[1\]\.{name}: .*{problem}"):
        to_http(CreatePipeline("p", processors=[DENSE, processor]))
    with pytest.raises(InvalidRequest, match=rf"SimulatePipeline: pipeline\.processors\[0\]\.{name}: .*{problem}"):
        to_http(SimulatePipeline(docs=[IngestDocument({})], pipeline=IngestPipeline([processor])))


@pytest.mark.parametrize(
    ("place", "processor", "problem"),
    [
        ("request_processors", NeuralQueryEnricher(), "give default_model_id, neural_field_default_id or both"),
        ("request_processors", MLInferenceRequest("m"), "give input_map, optional_input_map or both"),
        ("request_processors", NeuralSparseTwoPhase(two_phase_parameter=TwoPhase(expansion_rate=0.5)), "at least 1"),
        ("request_processors", NeuralSparseTwoPhase(two_phase_parameter=TwoPhase(max_window_size=49)), "at least 50"),
        ("phase_results_processors", ScoreRanker(RankCombination(rank_constant=0)), "between 1 and 10000, not 0"),
        (
            "phase_results_processors",
            Normalization(Technique("z_score"), Technique("harmonic_mean")),
            "z_score can only be combined by arithmetic_mean, not by harmonic_mean",
        ),
        ("phase_results_processors", {"normalization-processor": {"combination": 1}}, "expected Technique"),
        ("response_processors", Rerank(), "give ml_opensearch, the model, or by_field"),
        ("response_processors", Rerank(RerankModel("m")), "ml_opensearch needs context: the document_fields"),
        ("response_processors", Rerank(RerankModel("m"), RerankByField("f")), "exclude each other"),
    ],
)
def test_a_processor_of_a_search_that_the_server_would_refuse_is_named(
    place: str, processor: Any, problem: str
) -> None:
    given: dict[str, Any] = {place: [processor]}
    with pytest.raises(InvalidRequest, match=rf"CreateSearchPipeline: {place}\[0\]\.[\w-]+: .*{problem}"):
        to_http(CreateSearchPipeline("p", **given))


def test_who_wants_the_semantic_highlighter_in_a_pipeline_is_told_of_its_setting() -> None:
    with pytest.raises(InvalidRequest, match=r"setting cluster\.search\.enabled_system_generated_factories lists it"):
        to_http(CreateSearchPipeline("p", response_processors=[{"semantic-highlighter": {}}]))


@pytest.mark.parametrize(
    ("request_", "problem"),
    [
        (SimulatePipeline(docs=[{"_source": {}}]), "give the id of a pipeline, or pipeline"),
        (SimulatePipeline("p", docs=[{"_source": {}}], pipeline=IngestPipeline([])), "exclude each other"),
        (SimulatePipeline("p", docs=[]), "docs must not be empty"),
        (SimulatePipeline("p", docs=[{"text": "a"}]), r"docs\[0\] must have the document under '_source'"),
    ],
)
def test_a_trial_without_a_pipeline_or_documents_is_refused(request_: SimulatePipeline, problem: str) -> None:
    with pytest.raises(InvalidRequest, match=f"SimulatePipeline: .*{problem}"):
        to_http(request_)


# ---- older servers -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("processor", "version", "problem"),
    [
        (TextEmbedding("m", MAP), "2.4", ""),
        (TextEmbedding("m", MAP, batch_size=10), "2.15", r"text_embedding\.batch_size needs OpenSearch 2\.16"),
        (TextEmbedding("m", MAP, batch_size=10), "2.16", ""),
        (TextEmbedding("m", MAP, skip_existing=True), "2.19", r"text_embedding\.skip_existing needs OpenSearch 3\.0"),
        ({"sparse_encoding": {"model_id": "m", "field_map": MAP}}, "2.10", "sparse_encoding needs OpenSearch 2.11"),
        (TextChunking(MAP, Chunking(delimiter=Delimiter())), "2.12", "text_chunking needs OpenSearch 2.13"),
        ({"set": {}}, "2.4", ""),
    ],
)
def test_a_processor_that_the_server_does_not_have_yet_is_named(processor: Any, version: str, problem: str) -> None:
    requests = (
        CreatePipeline("p", processors=[processor]),
        SimulatePipeline(docs=[IngestDocument({})], pipeline=IngestPipeline([processor])),
    )
    for request in requests:
        if problem:
            assert needs_version(request)
            with pytest.raises(NotSupported, match=problem):
                route_at(request, Version.parse(version))
        else:
            assert route_at(request, Version.parse(version)) is None


def test_search_pipelines_and_their_processors_came_one_after_the_other() -> None:
    request = CreateSearchPipeline("p", response_processors=[Rerank(by_field=RerankByField("f"))])
    refused = {"2.11": r"rerank needs OpenSearch 2\.12", "2.17": r"rerank\.by_field needs OpenSearch 2\.18"}
    for version, problem in refused.items():
        with pytest.raises(NotSupported, match=problem):
            route_at(request, Version.parse(version))
    with pytest.raises(NotSupported, match=r"GetSearchPipelines needs OpenSearch 2\.9"):
        route_at(GetSearchPipelines(), Version.parse("2.8"))
    assert route_at(request, Version.parse("2.18")) is None
