"""Contract tests: the components for LangChain."""

from __future__ import annotations

import asyncio
from pathlib import Path

import attrs
import numpy as np
import pytest
from langchain_core.documents import Document

from aiomlcommons import Session
from aiomlcommons.integrations.langchain import MLCommonsEmbeddings, MLCommonsRerank
from tests.support.asymmetric import asymmetric_config
from tests.support.contract.kinds import deployed, spec_of
from tests.support.contract.undoing import afterwards

pytestmark = pytest.mark.asyncio

TEXTS = ["hello world", "the quick brown fox", "something else"]


@pytest.mark.usefixtures("environment")
async def test_embeddings_are_those_of_the_session(ml: Session, unique: str, zips: dict[str, Path]) -> None:
    async with deployed(ml, "dense", zips["dense"], unique) as model_id:
        expected = await ml.embed_many(model_id, TEXTS)
        embeddings, on_this_loop = MLCommonsEmbeddings(model_id, batch=2), MLCommonsEmbeddings(model_id, session=ml)
        for found in (
            await embeddings.aembed_documents(TEXTS),
            await asyncio.to_thread(embeddings.embed_documents, TEXTS),
            await on_this_loop.aembed_documents(TEXTS),
        ):
            np.testing.assert_allclose(found, expected, atol=1e-5)
        np.testing.assert_allclose(await embeddings.aembed_query(TEXTS[0]), expected[0], atol=1e-5)
        await embeddings.aclose()


@pytest.mark.since("2.12", "an asymmetric model")
@pytest.mark.usefixtures("environment")
async def test_an_asymmetric_model_is_told_what_is_a_query(ml: Session, unique: str, zips: dict[str, Path]) -> None:
    config = asymmetric_config("{}")
    model_id = await ml.models.ensure(attrs.evolve(spec_of("dense", zips["dense"], unique), model_config=config))
    async with afterwards(lambda: ml.models.remove(model_id, empty_group=True)):
        embeddings = MLCommonsEmbeddings(model_id)
        query, passage = await embeddings.aembed_query("hello"), (await embeddings.aembed_documents(["hello"]))[0]
        await embeddings.aclose()
        np.testing.assert_allclose(query, await ml.embed_one(model_id, "hello", content_type="query"), atol=1e-5)
        np.testing.assert_allclose(passage, await ml.embed_one(model_id, "hello", content_type="passage"), atol=1e-5)


@pytest.mark.since("2.12", "a cross-encoder")
@pytest.mark.usefixtures("environment")
async def test_documents_are_reranked(ml: Session, unique: str, zips: dict[str, Path]) -> None:
    async with deployed(ml, "cross-encoder", zips["cross-encoder"], unique) as model_id:
        scores = (await ml.rerank(model_id, "hello world", TEXTS)).tolist()
        rerank = MLCommonsRerank(model=model_id, top_n=2)
        documents = [Document(text) for text in TEXTS]
        found = await rerank.acompress_documents(documents, "hello world")
        again = await asyncio.to_thread(rerank.compress_documents, documents, "hello world")
        await rerank.aclose()
        assert [each.page_content for each in found] == [each.page_content for each in again]
        np.testing.assert_allclose(
            [each.metadata["relevance_score"] for each in found], sorted(scores, reverse=True)[:2], atol=1e-5
        )
        assert found[0].page_content == TEXTS[scores.index(max(scores))]
