"""Contract tests: pipelines whose processors ask models, on a cluster with neural-search, and what they are for."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
import pytest_asyncio

from aiomlcommons import BadRequest, NotFound, Session
from aiomlcommons.api.common import Acknowledged
from aiomlcommons.api.pipelines import IngestDocument, IngestPipeline, SimulatedDocument
from aiomlcommons.api.processors import (
    Chunking,
    FixedTokenLength,
    IngestProcessor,
    SparseEncoding,
    TextChunking,
    TextEmbedding,
)
from aiomlcommons.api.search_processors import (
    NeuralQueryEnricher,
    NeuralSparseTwoPhase,
    Normalization,
    RankCombination,
    Rerank,
    RerankByField,
    RerankContext,
    RerankModel,
    ScoreRanker,
    SearchRequestProcessor,
    SearchResponseProcessor,
    Technique,
    TwoPhase,
)
from tests.support.contract.kinds import deployed
from tests.support.contract.undoing import afterwards

pytestmark = [pytest.mark.asyncio, pytest.mark.since("2.11", "sparse vectors by a pipeline")]
TEXT = "the quick brown fox jumps over the lazy dog"


@pytest_asyncio.fixture(autouse=True)
async def _has_neural_search(ml: Session) -> None:
    if not any(plugin.component == "opensearch-neural-search" for plugin in await ml.plugins()):
        pytest.skip("needs a cluster with the neural-search plugin")


@pytest_asyncio.fixture
async def dense(ml: Session, unique: str, zips: dict[str, Path]) -> AsyncGenerator[str]:
    """Yield the id of a deployed dense model."""
    async with deployed(ml, "dense", zips["dense"], unique) as model_id:
        yield model_id


def name_of(unique: str) -> str:
    """Return a name for pipelines and indices."""
    return unique.replace(" ", "-").lower()


def document_of(found: SimulatedDocument | None) -> IngestDocument:
    """Return what a pipeline made of a document."""
    assert found is not None
    assert found.doc is not None, found
    return found.doc


def reason_of(found: SimulatedDocument | None) -> str:
    """Return why a pipeline failed with a document."""
    assert found is not None
    assert found.error is not None, found
    return str(found.error["reason"])


# ---- ingest pipelines ----------------------------------------------------------------------------------------------


async def test_a_pipeline_is_created_got_as_it_was_replaced_and_deleted(ml: Session, unique: str) -> None:
    name = name_of(unique)
    dense = TextEmbedding("m", {"text": "embedding", "a": {"b": "c"}}, tag="t", description="d")
    first: list[IngestProcessor] = [dense, SparseEncoding("s", {"text": "weights"})]
    assert await ml.pipelines.create(name, processors=first, description="one") == Acknowledged(True)
    async with afterwards(lambda: ml.pipelines.delete(name)):
        assert (await ml.pipelines.get(name))[name] == IngestPipeline(first, "one")
        await ml.pipelines.create(name, processors=first[1:], version=2)
        assert (await ml.pipelines.get(f"{name}*"))[name] == IngestPipeline(first[1:], version=2)
        assert name in await ml.pipelines.get()
    with pytest.raises(NotFound, match=f"no ingest pipeline '{name}'"):
        await ml.pipelines.get(name)
    with pytest.raises(NotFound, match=f"pipeline \\[{name}\\] is missing"):
        await ml.pipelines.delete(name)


async def test_what_a_server_refuses_in_a_pipeline_is_told_in_its_words(ml: Session, unique: str) -> None:
    with pytest.raises(BadRequest, match=r"No processor type exists with name \[text_embeding\]"):
        await ml.pipelines.create(name_of(unique), processors=[{"text_embeding": {}}])
    odd = TextEmbedding("m", {"text": "embedding"}, extra={"batchsize": 3})
    with pytest.raises(BadRequest, match=r"one or more provided configuration parameters \[batchsize\]"):
        await ml.pipelines.create(name_of(unique), processors=[odd])


async def test_a_trial_shows_the_vectors_that_a_document_would_get(ml: Session, dense: str) -> None:
    embedding = TextEmbedding(dense, {"text": "embedding"})
    docs = [IngestDocument({"text": TEXT}, index="i", id="1"), *(IngestDocument({"text": odd}) for odd in ("", 7))]
    tried = await ml.pipelines.simulate(docs=docs, pipeline=IngestPipeline([embedding]))
    assert len(tried) == 3
    first = document_of(tried[0])
    assert (first.index, first.id) == ("i", "1")
    np.testing.assert_allclose(first.source["embedding"], await ml.embed_one(dense, TEXT), atol=1e-5)
    assert "embedding" not in document_of(tried[1]).source
    assert "neither string nor nested type" in reason_of(tried[2])
    (steps,) = await ml.pipelines.simulate(docs=docs[:1], pipeline=IngestPipeline([embedding]), verbose=True)
    results = (steps and steps.processor_results) or []
    assert [(step.processor_type, step.status) for step in results] == [("text_embedding", "success")]


async def test_a_missing_model_is_told_by_each_document(ml: Session, unique: str) -> None:
    name = name_of(unique)
    await ml.pipelines.create(name, processors=[TextEmbedding("nonesuch", {"text": "embedding"})])
    async with afterwards(lambda: ml.pipelines.delete(name)):
        (found,) = await ml.pipelines.simulate(name, docs=[IngestDocument({"text": "a"})])
    assert "Failed to find model with the provided model id: nonesuch" in reason_of(found)


@pytest.mark.since("2.13", "chunks by a pipeline")
async def test_each_chunk_of_a_text_gets_a_vector(ml: Session, dense: str) -> None:
    cut = TextChunking({"text": "chunks"}, Chunking(FixedTokenLength(4, tokenizer="standard")))
    pipeline = IngestPipeline([cut, TextEmbedding(dense, {"chunks": "vectors"})])
    (found,) = await ml.pipelines.simulate(docs=[IngestDocument({"text": TEXT})], pipeline=pipeline)
    source = document_of(found).source
    assert len(source["chunks"]) == len(source["vectors"]) == 3
    wanted = await ml.embed_many(dense, source["chunks"])
    np.testing.assert_allclose([one["knn"] for one in source["vectors"]], wanted, atol=1e-5)


async def test_a_bulk_request_through_a_pipeline_writes_vectors(ml: Session, unique: str, dense: str) -> None:
    name = name_of(unique)
    await ml.pipelines.create(name, processors=[TextEmbedding(dense, {"text": "embedding"})])
    async with afterwards(lambda: ml.indices.delete(name, ignore_unavailable=True), lambda: ml.pipelines.delete(name)):
        lines = [{"index": {"_id": "1"}}, {"text": TEXT}, {"index": {"_id": "2"}}, {"text": 7}]
        done = await ml.documents.bulk(_lines(*lines), index=name, pipeline=name, refresh=True)
        assert done.errors
        assert [(item.id, item.status) for item in done.failed] == [("2", 400)]
        document = await ml.documents.get(name, "1")
        assert document.source is not None
        np.testing.assert_allclose(document.source["embedding"], await ml.embed_one(dense, TEXT), atol=1e-5)
        assert (await ml.documents.get(name, "1", source="text")).source == {"text": TEXT}


async def test_sparse_vectors_are_pruned(ml: Session, unique: str, zips: dict[str, Path]) -> None:
    version = await ml.version()
    if version is not None and version < (2, 19):
        pytest.skip("pruning came with 2.19")
    async with deployed(ml, "sparse", zips["sparse"], unique) as model_id:
        whole = await _weights(ml, SparseEncoding(model_id, {"text": "w"}))
        pruned = await _weights(ml, SparseEncoding(model_id, {"text": "w"}, prune_type="top_k", prune_ratio=2.0))
    assert len(pruned) == 2 < len(whole)
    assert pruned.items() <= whole.items()


async def _weights(ml: Session, processor: SparseEncoding) -> dict[str, float]:
    (found,) = await ml.pipelines.simulate(docs=[IngestDocument({"text": TEXT})], pipeline=IngestPipeline([processor]))
    weights: dict[str, float] = document_of(found).source["w"]
    return weights


def _lines(*rows: Any) -> bytes:
    return b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows)


# ---- search pipelines ----------------------------------------------------------------------------------------------


@pytest.mark.since("2.19", "combining queries by ranks")
async def test_a_search_pipeline_is_created_got_as_it_was_and_deleted(ml: Session, unique: str) -> None:
    name = name_of(unique)
    two = NeuralSparseTwoPhase(True, TwoPhase(0.4, "max_ratio", 5.0, 100))
    requests: list[SearchRequestProcessor] = [NeuralQueryEnricher("m", {"a": "n"}), two]
    phases = [Normalization(Technique("l2"), Technique("harmonic_mean", {"weights": [0.5, 0.5]}))]
    responses: list[SearchResponseProcessor] = [
        Rerank(RerankModel("m"), context=RerankContext(["text"])),
        Rerank(by_field=RerankByField("stars"), tag="t"),
    ]
    await ml.pipelines.create_search(
        name,
        request_processors=requests,
        phase_results_processors=phases,
        response_processors=responses,
        description="d",
    )
    async with afterwards(lambda: ml.pipelines.delete_search(name)):
        found = (await ml.pipelines.get_search(name))[name]
        assert (found.request_processors, found.phase_results_processors, found.description) == (requests, phases, "d")
        assert found.response_processors == responses
        ranked = [ScoreRanker(RankCombination("rrf", rank_constant=20))]
        await ml.pipelines.create_search(name, phase_results_processors=ranked)
        assert (await ml.pipelines.get_search())[name].phase_results_processors == ranked
    with pytest.raises(NotFound):
        await ml.pipelines.get_search(name)
    with pytest.raises(NotFound, match=f"pipeline \\[{name}\\] is missing"):
        await ml.pipelines.delete_search(name)


async def test_what_a_server_refuses_in_a_search_pipeline_is_told_in_its_words(ml: Session, unique: str) -> None:
    with pytest.raises(BadRequest, match=r"Invalid processor type rerankk"):
        await ml.pipelines.create_search(name_of(unique), response_processors=[{"rerankk": {}}])
