"""Contract tests: predictions of every type of local model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from aiomlcommons import DecodeError, InvalidRequest, NotFound, Session
from aiomlcommons.api.predict import Predict
from aiomlcommons.api.tensors import NumberTensor
from aiomlcommons.inference import vectors
from tests.support.contract.kinds import deployed

pytestmark = pytest.mark.asyncio

TEXTS = ["hello world", "the quick brown fox", "hello world", ""]


async def test_dense_embeddings(ml: Session, unique: str, zips: dict[str, Path]) -> None:
    async with deployed(ml, "dense", zips["dense"], unique) as model_id:
        array = await ml.embed_many(model_id, TEXTS)
        model = await ml.models.get(model_id)
        assert model.model_config
        assert array.shape == (len(TEXTS), model.model_config.embedding_dimension)
        assert array.dtype == np.float32
        np.testing.assert_allclose(np.linalg.norm(array, axis=1), 1, atol=1e-3)
        np.testing.assert_allclose(array[0], array[2], atol=1e-5)
        assert not np.allclose(array[0], array[1])
        np.testing.assert_allclose(await ml.embed_one(model_id, TEXTS[1]), array[1], atol=1e-5)

        # The same vectors as numbers or bytes, in JSON or CBOR, by model or by algorithm.
        for accept in ("application/json", "application/cbor"):
            for bytes_too in (True, False, None):
                request = Predict("text_embedding", model_id, text_docs=TEXTS, return_bytes=bytes_too)
                got = vectors.embeddings(await ml.raw(request, accept=accept), len(TEXTS))
                np.testing.assert_allclose(got, array, atol=1e-5)
        by_model = await ml.models.predict(model_id, text_docs=TEXTS[:1])
        (tensor,) = by_model.tensors
        assert isinstance(tensor, NumberTensor)
        np.testing.assert_allclose(np.array(tensor.data), array[0], atol=1e-5)

        # The stream yields the same vectors as one call.
        rows = [f"row {i}" for i in range(50)]
        async with ml.embed(model_id, rows, batch=7, concurrency=3) as embedded:
            got_rows = [(row, vector) async for row, vector in embedded]
        assert [row for row, _ in got_rows] == rows
        stacked = np.stack([vector for _, vector in got_rows])
        np.testing.assert_allclose(stacked, await ml.embed_many(model_id, rows), atol=1e-4)

        # As does one call whose texts travel in batches.
        np.testing.assert_allclose(await ml.embed_many(model_id, iter(rows), batch=7), stacked, atol=1e-4)


@pytest.mark.since("2.11", "asking for a sparse embedding")
async def test_a_dense_model_is_no_sparse_one(ml: Session, unique: str, zips: dict[str, Path]) -> None:
    async with deployed(ml, "dense", zips["dense"], unique) as model_id:
        with pytest.raises(DecodeError, match="not of this kind of model"):
            await ml.sparse(model_id, ["a"])


@pytest.mark.since("2.11", "a sparse model")
@pytest.mark.parametrize("kind", ["sparse", "tokenizer"])
async def test_sparse_weights(ml: Session, unique: str, zips: dict[str, Path], kind: str) -> None:
    async with deployed(ml, kind, zips[kind], unique) as model_id:
        first, second = await ml.sparse(model_id, ["hello world", "foo"])
        assert {"hello", "world"} <= first.keys()
        assert all(weight > 0 for weight in first.values())
        assert "foo" in second
        (numbered,) = await ml.sparse(model_id, ["hello world"], sparse_embedding_format="TOKEN_ID")
        assert all(token.isdigit() for token in numbered)
        assert len(numbered) == len(first)


@pytest.mark.since("2.12", "a cross-encoder")
async def test_cross_encoder_scores(ml: Session, unique: str, zips: dict[str, Path]) -> None:
    async with deployed(ml, "cross-encoder", zips["cross-encoder"], unique) as model_id:
        scores = await ml.rerank(model_id, "hello world", ["hello world", "something else", "hello world"])
        assert scores.shape == (3,)
        assert scores.dtype == np.float32
        assert scores[0] == pytest.approx(scores[2], abs=1e-5)
        assert scores[0] != scores[1]
        best = await ml.rerank(model_id, "hello world", ("something else", "hello world"), top_n=2)
        assert sorted(index for index, _ in best) == [0, 1]
        assert best[0].score > best[1].score


@pytest.mark.defect("2.4", "2.4", "an unknown model is one that is not loaded")
async def test_an_unknown_model_is_not_found(ml: Session) -> None:
    with pytest.raises(NotFound, match="Failed to find model"):
        await ml.embed_many("no-such-model", ["text"])


async def test_nothing_to_embed_is_refused_before_the_network(ml: Session) -> None:
    with pytest.raises(InvalidRequest, match="texts must not be empty"):
        await ml.embed_many("no-such-model", [])
