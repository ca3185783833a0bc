"""Contract tests: the components for LlamaIndex."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest
from llama_index.core.schema import NodeWithScore, TextNode

from aiomlcommons import Session
from aiomlcommons.integrations.llama_index import MLCommonsEmbedding, MLCommonsRerank, MLCommonsSparseEmbedding
from tests.support.contract.kinds import deployed

pytestmark = [pytest.mark.asyncio, pytest.mark.usefixtures("environment")]

TEXTS = ["hello world", "the quick brown fox", "something else", ""]


async def test_embeddings_in_batches_are_those_of_the_session(ml: Session, unique: str, zips: dict[str, Path]) -> None:
    async with deployed(ml, "dense", zips["dense"], unique) as model_id:
        expected = await ml.embed_many(model_id, TEXTS)
        embedding = MLCommonsEmbedding(model_id, embed_batch_size=3)
        on_this_loop = MLCommonsEmbedding(model_id, session=ml, embed_batch_size=1)
        for found in (
            await embedding.aget_text_embedding_batch(TEXTS),
            await asyncio.to_thread(embedding.get_text_embedding_batch, TEXTS),
            await on_this_loop.aget_text_embedding_batch(TEXTS),
        ):
            np.testing.assert_allclose(found, expected, atol=1e-5)
        np.testing.assert_allclose(await embedding.aget_query_embedding(TEXTS[0]), expected[0], atol=1e-5)
        await embedding.aclose()


@pytest.mark.since("2.11", "a sparse model")
async def test_sparse_embeddings_are_by_the_ids_of_tokens(ml: Session, unique: str, zips: dict[str, Path]) -> None:
    async with (
        deployed(ml, "sparse", zips["sparse"], unique) as sparse,
        deployed(ml, "tokenizer", zips["tokenizer"], unique) as tokenizer,
    ):
        embedding = MLCommonsSparseEmbedding(sparse, query_model_name=tokenizer)
        (found,) = await embedding.aget_text_embedding_batch(["hello world"])
        asked = await embedding.aget_query_embedding("hello")
        await embedding.aclose()
    assert asked.keys() <= found.keys()
    assert len(asked) == 1


@pytest.mark.since("2.12", "a cross-encoder")
async def test_nodes_are_reranked(ml: Session, unique: str, zips: dict[str, Path]) -> None:
    async with deployed(ml, "cross-encoder", zips["cross-encoder"], unique) as model_id:
        scores = (await ml.rerank(model_id, "hello world", TEXTS)).tolist()
        rerank = MLCommonsRerank(model_id, top_n=2)
        nodes = [NodeWithScore(node=TextNode(text=text)) for text in TEXTS]
        found = await rerank.apostprocess_nodes(nodes, query_str="hello world")
        again = await asyncio.to_thread(rerank.postprocess_nodes, nodes, query_str="hello world")
        await rerank.aclose()
    assert [each.node for each in found] == [each.node for each in again]
    np.testing.assert_allclose([each.score or 0 for each in found], sorted(scores, reverse=True)[:2], atol=1e-5)
