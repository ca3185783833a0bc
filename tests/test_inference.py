"""The helpers over predict, on answers that real models and servers give."""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson
import pytest

from aiomlcommons import DecodeError, HttpRequest, HttpResponse, InvalidRequest, Session
from aiomlcommons.inference import Highlight
from aiomlcommons.transport import Timeout
from tests.wire.recordings import exchanges

pytestmark = pytest.mark.asyncio
RECORDED = {exchange.case: exchange for exchange in exchanges()}


class Says:
    """A server that gives one answer, and keeps what it was asked."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer if isinstance(answer, HttpResponse) else self._json(answer)
        self.heard: list[HttpRequest] = []

    @staticmethod
    def _json(data: Any) -> HttpResponse:
        return HttpResponse(200, orjson.dumps(data), {"content-type": "application/json"})

    async def __call__(self, request: HttpRequest, timeout: Timeout) -> HttpResponse:
        self.heard.append(request)
        return self.answer

    @property
    def body(self) -> Any:
        return orjson.loads(self.heard[-1].body or b"")


def said(*tensors: dict[str, Any]) -> dict[str, Any]:
    return {"inference_results": [{"output": list(tensors)}]}


async def test_embedding_asks_for_bytes_in_cbor_on_the_route_that_every_model_answers() -> None:
    says = Says(RECORDED["predict.dense_cbor"].response)
    async with Session(transport=says) as ml:
        array = await ml.embed_many("m", ["a", "b"], content_type="query")
    assert (array.shape, array.dtype) == ((2, 384), np.dtype("f4"))
    assert says.heard[0].path == "/_plugins/_ml/_predict/text_embedding/m"
    assert says.heard[0].headers["accept"] == "application/cbor"
    assert says.body == {
        "text_docs": ["a", "b"],
        "return_bytes": True,
        "return_number": False,
        "parameters": {"content_type": "query"},
    }


async def test_one_text_gives_one_vector() -> None:
    async with Session(transport=Says(RECORDED["by_url.predict"].response)) as ml:
        assert (await ml.embed_one("m", "hello world")).shape == (16,)


async def test_sparse_weights_of_local_models() -> None:
    says = Says(RECORDED["tiny_sparse.predict"].response)
    async with Session(transport=says) as ml:
        first, second = await ml.sparse("m", ["hello world opensearch", "foo"], sparse_embedding_format="WORD")
    assert (first["world"], second) == (0.636511, {"foo": 0.21691352})
    assert says.body["parameters"] == {"sparse_embedding_format": "WORD"}


async def test_sparse_weights_of_a_remote_model_in_one_output() -> None:
    async with Session(transport=Says(said({"dataAsMap": {"response": [{"a": 1.0}, {"b": 2.0}]}}))) as ml:
        assert await ml.sparse("m", ["a", "b"]) == [{"a": 1.0}, {"b": 2.0}]


@pytest.mark.parametrize("case", ["cross_encoder.predict", "cross_encoder.predict_cbor"])
async def test_scores_of_a_cross_encoder(case: str) -> None:
    async with Session(transport=Says(RECORDED[case].response)) as ml:
        scores = await ml.rerank("m", "hello world", ["hello world", "something else"])
    assert scores.dtype == np.dtype("f4")
    np.testing.assert_allclose(scores, [0.67330295, 0.6236391], rtol=1e-6)


async def test_highlights_are_cut_from_the_context() -> None:
    spans = [{"start": 0, "end": 5}, {"start": 6, "end": 11, "score": 0.5}]
    async with Session(transport=Says(said({"name": "highlights", "dataAsMap": {"highlights": spans}}))) as ml:
        found = await ml.highlight("m", "which?", "hello world")
    assert [(one.text, one.start, one.end) for one in found] == [("hello", 0, 5), ("world", 6, 11)]
    assert found[1] == Highlight(start=6, end=11, text="world", extra={"score": 0.5})


async def test_an_answer_is_text() -> None:
    says = Says(said({"result": "Berlin"}))
    async with Session(transport=says) as ml:
        assert await ml.answer("m", "where?", "in Berlin") == "Berlin"
    assert says.body == {"question": "where?", "context": "in Berlin"}


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda ml: ml.embed_many("m", []), "texts must not be empty"),
        (lambda ml: ml.embed_many("m", "text"), "texts must be a list of strings, not str"),
        (lambda ml: ml.embed_many("m", ["a", 5]), r"texts\[1\] must be a string, not int"),
        (lambda ml: ml.embed_many("m", {"a"}), "texts must be a list of strings, not set"),
        (lambda ml: ml.embed_one("m", None), "text must be a string, not NoneType"),
        (lambda ml: ml.embed_many("", ["a"]), "model_id must not be empty"),
        (lambda ml: ml.sparse("m", [b"a"]), r"texts\[0\] must be a string, not bytes"),
        (lambda ml: ml.rerank("m", 5, ["a"]), "query_text must be a string"),
        (lambda ml: ml.rerank("m", "q", []), "text_docs must not be empty"),
        (lambda ml: ml.answer("m", "q", None), "context must be a string"),
        (lambda ml: ml.highlight("m", None, "c"), "question must be a string"),
    ],
)
async def test_bad_input_is_refused_before_the_network(call: Any, words: str) -> None:
    says = Says({})
    async with Session(transport=says) as ml:
        with pytest.raises(InvalidRequest, match=words):
            await call(ml)
    assert says.heard == []


@pytest.mark.parametrize(
    ("call", "data"),
    [
        (lambda ml: ml.sparse("m", ["a"]), said({"data": [1.0]})),
        (lambda ml: ml.sparse("m", ["a", "b"]), said({"dataAsMap": {"response": [{"a": 1}]}})),
        (lambda ml: ml.rerank("m", "q", ["a"]), said({"result": "x"})),
        (lambda ml: ml.answer("m", "q", "c"), said({"data": [1.0]})),
        (lambda ml: ml.highlight("m", "q", "c"), said({"name": "error", "result": "x"})),
        (lambda ml: ml.embed_many("m", ["a"]), {}),
    ],
)
async def test_an_answer_of_another_kind_of_model_says_so(call: Any, data: Any) -> None:
    async with Session(transport=Says(data)) as ml:
        with pytest.raises(DecodeError):
            await call(ml)
