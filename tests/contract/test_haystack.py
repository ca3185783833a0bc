"""Contract tests: a Haystack pipeline that is stored, loaded and run."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest
from haystack import Document, Pipeline
from haystack.components.joiners import DocumentJoiner

from aiomlcommons import Session
from aiomlcommons.integrations.haystack import (
    MLCommonsDocumentEmbedder,
    MLCommonsRanker,
    MLCommonsSparseDocumentEmbedder,
    MLCommonsSparseTextEmbedder,
    MLCommonsTextEmbedder,
)
from tests.support.contract.kinds import deployed

pytestmark = [pytest.mark.asyncio, pytest.mark.usefixtures("environment")]

TEXTS = ["hello world", "the quick brown fox", "something else", ""]


@pytest.mark.since("2.12", "a cross-encoder")
async def test_a_pipeline_is_stored_loaded_and_run(ml: Session, unique: str, zips: dict[str, Path]) -> None:
    async with (
        deployed(ml, "dense", zips["dense"], unique) as dense,
        deployed(ml, "cross-encoder", zips["cross-encoder"], unique) as cross_encoder,
    ):
        pipeline = Pipeline()
        pipeline.add_component("embedder", MLCommonsDocumentEmbedder(dense, batch_size=2))
        pipeline.add_component("joiner", DocumentJoiner())
        pipeline.add_component("ranker", MLCommonsRanker(cross_encoder))
        pipeline.add_component("query", MLCommonsTextEmbedder(dense))
        pipeline.connect("embedder.documents", "joiner.documents")
        pipeline.connect("joiner.documents", "ranker.documents")
        loaded = Pipeline.loads(pipeline.dumps(), allowed_modules=["aiomlcommons.integrations.haystack"])

        given = {
            "embedder": {"documents": [Document(content=text) for text in TEXTS]},
            "ranker": {"query": "hello world"},
            "query": {"text": "hello world"},
        }
        found = await loaded.run_async(given)
        again = await asyncio.to_thread(loaded.run, given)
        await loaded.close_async()
        vectors, scores = await ml.embed_many(dense, TEXTS), await ml.rerank(cross_encoder, "hello world", TEXTS)
    ranked = found["ranker"]["documents"]
    assert [one.content for one in again["ranker"]["documents"]] == [one.content for one in ranked]
    expected = dict(zip(TEXTS, zip(vectors, scores, strict=True), strict=True))
    for one in ranked:
        np.testing.assert_allclose(one.embedding, expected[one.content][0], atol=1e-5)
        assert one.score == pytest.approx(float(expected[one.content][1]), abs=1e-5)
    assert [one.score for one in ranked] == sorted((one.score for one in ranked), reverse=True)
    np.testing.assert_allclose(found["query"]["embedding"], vectors[0], atol=1e-5)


@pytest.mark.since("2.11", "a sparse model")
async def test_sparse_embeddings_are_by_the_ids_of_tokens(ml: Session, unique: str, zips: dict[str, Path]) -> None:
    async with (
        deployed(ml, "sparse", zips["sparse"], unique) as sparse,
        deployed(ml, "tokenizer", zips["tokenizer"], unique) as tokenizer,
    ):
        documents, query = MLCommonsSparseDocumentEmbedder(sparse), MLCommonsSparseTextEmbedder(tokenizer)
        (found,) = (await documents.run_async([Document(content="hello world")]))["documents"]
        asked = (await query.run_async("hello"))["sparse_embedding"]
        await documents.close_async()
        await query.close_async()
    assert set(asked.indices) <= set(found.sparse_embedding.indices)
    assert len(asked.indices) == 1
