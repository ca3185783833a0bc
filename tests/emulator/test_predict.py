"""Predictions of each type of local model, in each format."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from aiomlcommons import BadRequest, Forbidden, ModelNotReady, NotFound, ServerError, Session, TooManyRequests
from aiomlcommons.api.model_records import RateLimiter
from aiomlcommons.api.predict import Predict, PredictByModel
from aiomlcommons.emulator import Cluster, Emulator
from aiomlcommons.http import CBOR, JSON
from aiomlcommons.inference import vectors
from tests.support.emulated_models import NOW, deployed

pytestmark = pytest.mark.asyncio

TEXTS = ["hello world", "something else"]
SPARSE = "amazon/neural-sparse/opensearch-neural-sparse-encoding-v1"
TOKENIZER = "amazon/neural-sparse/opensearch-neural-sparse-tokenizer-v1"
CROSS_ENCODER = "huggingface/cross-encoders/ms-marco-MiniLM-L-6-v2"
HIGHLIGHTER = "amazon/sentence-highlighting/opensearch-semantic-highlighter-v1"


@pytest.mark.parametrize("accept", [JSON, CBOR])
@pytest.mark.parametrize("form", [{}, {"return_bytes": True}, {"return_bytes": True, "return_number": False}])
async def test_numbers_and_bytes_are_the_same_in_json_and_cbor(
    ml: Session, dense: str, accept: str, form: dict[str, Any]
) -> None:
    plain = await ml.raw(Predict("text_embedding", dense, text_docs=TEXTS))
    got = await ml.raw(Predict("text_embedding", dense, text_docs=TEXTS, **form), accept=accept)
    assert got.content_type == accept
    np.testing.assert_array_equal(vectors.embeddings(got, 2), vectors.embeddings(plain, 2))
    tensor = got.json()["inference_results"][0]["output"][0]
    assert tensor["shape"] == [384]
    assert ("data" in tensor, "byte_buffer" in tensor) == (form.get("return_number", True), "return_bytes" in form)


async def test_cbor_numbers_of_a_local_model_take_four_bytes(ml: Session, dense: str) -> None:
    got = await ml.raw(Predict("text_embedding", dense, text_docs=["a"]), accept=CBOR)
    assert got.body.count(b"\xfa") >= 384
    assert len(got.body) < 384 * 6


async def test_json_numbers_are_as_short_as_float32_can_be(ml: Session, dense: str) -> None:
    got = await ml.raw(Predict("text_embedding", dense, text_docs=["hello world"]))
    for number in got.json()["inference_results"][0]["output"][0]["data"]:
        assert len(str(number)) <= len(str(np.float32(number))) + 1


@pytest.mark.parametrize(
    ("form", "names"),
    [
        ({"target_response": ["sentence_embedding"]}, ["sentence_embedding"]),
        ({"target_response": ["other"]}, []),
        ({"target_response_positions": [0]}, ["sentence_embedding"]),
        ({"target_response_positions": [1]}, []),
    ],
)
async def test_only_the_wanted_tensors_are_given(
    ml: Session, dense: str, form: dict[str, Any], names: list[str]
) -> None:
    got = await ml.predict("text_embedding", dense, text_docs=["a"], **form)
    assert got.inference_results
    assert [tensor.name for tensor in got.inference_results[0].output or ()] == names


async def test_a_sparse_encoder_weighs_words_and_their_numbers_alike(ml: Session) -> None:
    model_id = await deployed(ml, SPARSE, "1.0.1")
    (words,) = await ml.sparse(model_id, ["dog food for a dog"])
    (ids,) = await ml.sparse(model_id, ["dog food for a dog"], sparse_embedding_format="TOKEN_ID")
    assert words["dog"] > words["food"] > words["a"] > 0
    assert sorted(words.values()) == sorted(ids.values())
    assert all(key.isdigit() for key in ids)
    with pytest.raises(BadRequest, match=r"No enum constant .*SparseEmbeddingFormat\.NOPE"):
        await ml.models.predict(model_id, text_docs=["a"], parameters={"sparse_embedding_format": "nope"})


async def test_a_tokenizer_gives_every_word_the_same_weight(ml: Session) -> None:
    assert await ml.sparse(await deployed(ml, TOKENIZER, "1.0.1"), ["Hello world", "foo foo"]) == [
        {"hello": 1.0, "world": 1.0},
        {"foo": 1.0},
    ]


async def test_a_cross_encoder_scores_by_shared_words(ml: Session) -> None:
    model_id = await deployed(ml, CROSS_ENCODER)
    scores = await ml.rerank(model_id, "dog food", ["cats sleep", "food for a dog", "dog food"])
    assert scores[2] > scores[1] > scores[0] >= 0
    assert scores.max() <= 1.0 + 1e-6
    request = Predict("text_similarity", model_id, query_text="a", text_docs=["a"], return_number=False)
    tensor = (await ml.raw(request)).json()["inference_results"][0]["output"][0]
    assert tensor["data"]
    assert tensor["byte_buffer"]["order"] == "LITTLE_ENDIAN"


async def test_a_highlighter_marks_the_sentences_that_answer(ml: Session) -> None:
    context = "Cats sleep all day. Dogs bark at night. The moon is far."
    found = await ml.highlight(await deployed(ml, HIGHLIGHTER, "1.0.0"), "When do dogs bark?", context)
    assert [passage.text for passage in found] == ["Dogs bark at night."]


async def test_a_highlighter_counts_in_doubles_and_units_of_utf_16(ml: Session) -> None:
    asked = {"question": "When do dogs bark?", "context": "\N{SLIGHTLY SMILING FACE} sleeps. Dogs bark."}
    path = f"/_plugins/_ml/_predict/question_answering/{await deployed(ml, HIGHLIGHTER, '1.0.0')}"
    (result,) = (await ml.request("POST", path, body=asked)).json()["inference_results"]
    (passage,) = result["output"][0]["dataAsMap"]["highlights"]
    assert passage == {"start": 11.0, "end": 21.0, "text": "Dogs bark.", "position": 1.0}
    assert all(isinstance(passage[name], float) for name in ("start", "end", "position"))


async def test_a_null_among_texts_fails_the_model(ml: Session, dense: str) -> None:
    with pytest.raises(ServerError, match=f"Failed to inference TEXT_EMBEDDING model: {dense}"):
        await ml.request("POST", f"/_plugins/_ml/_predict/text_embedding/{dense}", body={"text_docs": [None]})


async def test_a_question_is_answered_by_a_sentence_of_the_context(ml: Session, ml_emulator: Emulator) -> None:
    model_id = await deployed(ml, HIGHLIGHTER, "1.0.0")
    ml_emulator.cluster.models.change(model_id, model_config=None)
    assert await ml.answer(model_id, "What do dogs do?", "Cats sleep. Dogs bark.") == "Dogs bark."
    with pytest.raises(BadRequest, match="Context is not provided"):
        await ml.answer(model_id, "What do dogs do?", "")


async def test_a_model_that_is_not_on_the_node_is_not_ready(ml: Session, dense: str) -> None:
    await ml.models.undeploy(dense)
    with pytest.raises(ModelNotReady):
        await ml.embed_one(dense, "a")
    with pytest.raises(NotFound, match="Failed to find model"):
        await ml.models.predict("nope", text_docs=["a"])


async def test_a_disabled_model_is_forbidden_until_it_is_enabled(ml: Session, dense: str) -> None:
    await ml.models.update(dense, is_enabled=False)
    with pytest.raises(Forbidden, match="Model is disabled"):
        await ml.embed_one(dense, "a")
    await ml.models.update(dense, is_enabled=True)
    assert (await ml.embed_one(dense, "a")).shape == (384,)


async def test_a_rate_limit_holds_until_its_time_has_passed() -> None:
    hours = [0.0]
    emulated = Emulator(Cluster(clock=lambda: 1_700_000_000 + 3600 * hours[0]))
    async with emulated.serve() as url, Session(url, retries=0, backoff=NOW) as ml:
        await ml.settings.allow_first_model()
        model_id = await deployed(ml)
        await ml.models.update(model_id, rate_limiter=RateLimiter(limit=2, unit="HOURS"))
        for _ in range(2):
            await ml.embed_one(model_id, "a")
        with pytest.raises(TooManyRequests, match="throttled at model level"):
            await ml.embed_one(model_id, "a")
        hours[0] = 1.5
        await ml.embed_one(model_id, "a")


@pytest.mark.parametrize(
    ("algorithm", "body", "words"),
    [
        ("text_embedding", {"question": "a"}, "Empty text docs"),
        ("text_similarity", {"text_docs": ["a"]}, "No query text"),
        ("text_similarity", {"query_text": "a"}, "No text documents were provided"),
        ("question_answering", {"question": "a"}, "Context is not provided"),
        ("nope", {"text_docs": ["a"]}, "Wrong function name"),
    ],
)
async def test_input_that_does_not_fit_is_refused(
    ml: Session, dense: str, algorithm: str, body: dict[str, Any], words: str
) -> None:
    with pytest.raises(BadRequest, match=words):
        await ml.predict(algorithm, dense, **body)


async def test_the_route_by_model_reads_the_body_as_the_model_wants_it(ml: Session, dense: str) -> None:
    got = await ml.raw(PredictByModel(dense, text_docs=TEXTS))
    np.testing.assert_array_equal(vectors.embeddings(got, 2), await ml.embed_many(dense, TEXTS))


async def test_only_dense_and_remote_models_are_changed(ml: Session) -> None:
    model_id = await deployed(ml, CROSS_ENCODER)
    with pytest.raises(Forbidden, match="The function category TEXT_SIMILARITY is not supported at this time"):
        await ml.models.update(model_id, description="new")
