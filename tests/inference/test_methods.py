"""The helpers over predict, on recorded responses of real models and servers."""

from __future__ import annotations

from typing import Any

import cbor2
import numpy as np
import orjson
import pytest

from aiomlcommons import DecodeError, HttpResponse, InvalidRequest, Session
from aiomlcommons.http import CBOR, JSON
from aiomlcommons.inference.predictions import Highlight
from tests.support.one_answer import Says, said
from tests.wire.recordings import exchanges

pytestmark = pytest.mark.asyncio
RECORDED = {exchange.case: exchange for exchange in exchanges()}


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


@pytest.mark.parametrize("weight", ["1.0", None, "NaN", True, [1.0]])
async def test_a_sparse_weight_that_is_no_number_is_named(weight: Any) -> None:
    answer = said({"dataAsMap": {"response": [{"a": 1.0}, {"b": 2, "c": weight}]}})
    async with Session(transport=Says(answer)) as ml:
        with pytest.raises(DecodeError, match=r"the weight of 'c' for texts\[1\] must be a finite number") as caught:
            await ml.sparse("m", ["x", "y"])
    assert caught.value.index == 1


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


SMILES = "\U0001f642\U0001f642. Soft answers turn away wrath. \u00dcber."


@pytest.mark.parametrize("kind", [JSON, CBOR])
async def test_offsets_of_a_server_that_counts_utf_16_units_in_floats_become_indices(kind: str) -> None:
    spans = [
        {"start": 0.0, "end": 5.0, "text": SMILES[:3], "position": 0.0},
        {"start": 6.0, "end": 35.0, "text": SMILES[4:33], "position": 1.0},
        {"start": 36.0, "end": 41.0, "text": "\u00dcber.", "position": 2.0},
    ]
    data = said({"name": "highlights", "dataAsMap": {"highlights": spans}})
    body = (cbor2 if kind == CBOR else orjson).dumps(data)
    async with Session(transport=Says(HttpResponse(200, body, {"content-type": kind}))) as ml:
        found = await ml.highlight("m", "what turns away wrath?", SMILES)
    assert [SMILES[one.start : one.end] for one in found] == [one.text for one in found] == [s["text"] for s in spans]
    assert [(type(one.start), type(one.end), one.position) for one in found] == [(int, int, n) for n in range(3)]
    assert [one.extra for one in found] == [{}, {}, {}]


@pytest.mark.parametrize(
    ("span", "place"),
    [
        # A provider's model that is written in Python tells no text, or one that its own counting fits.
        ({"start": 4, "end": 8}, (4, 8)),
        ({"start": 4, "end": 8, "text": "Soft"}, (4, 8)),
        ({"start": 3, "end": 8, "text": "Soft"}, (3, 8)),
        # A server leaves out the blanks around a sentence, and counts them.
        ({"start": 5.0, "end": 10.0, "text": "Soft"}, (3, 8)),
        # The text that fits nowhere is the server's all the same, at the server's place.
        ({"start": 6.0, "end": 10.0, "text": "soft"}, (4, 8)),
        ({"start": 1.0, "end": 99.0, "text": "x"}, (0, len(SMILES))),
    ],
)
async def test_the_text_of_a_highlight_tells_how_its_offsets_count(
    span: dict[str, Any], place: tuple[int, int]
) -> None:
    async with Session(transport=Says(said({"dataAsMap": {"highlights": [span]}}))) as ml:
        (found,) = await ml.highlight("m", "q", SMILES)
    assert (found.start, found.end) == place
    assert found.text == span.get("text", "Soft")


async def test_a_sentence_that_repeats_is_where_the_server_says() -> None:
    context = "\U0001f642\U0001f642\U0001f642 a. a. a."
    assert context[7:9] == "a."  # so it would fit there too, if the server counted as Python does
    spans = [{"start": 7.0, "end": 9.0, "text": "a.", "position": 1.0}]
    async with Session(transport=Says(said({"dataAsMap": {"highlights": spans}}))) as ml:
        assert await ml.highlight("m", "q", context) == [Highlight(start=4, end=6, text="a.", position=1)]


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


@pytest.mark.parametrize(
    ("call", "data"),
    [
        (lambda ml: ml.rerank("m", "q", ["a"]), said({"data": []})),
        (lambda ml: ml.rerank("m", "q", ["a"]), said({"data": None})),
        (lambda ml: ml.rerank("m", "q", ["a"]), said({"data": ["x"]})),
        (lambda ml: ml.rerank("m", "q", ["a", "b"]), said({"data": [0.5]})),
        (lambda ml: ml.sparse("m", ["a"]), said({"dataAsMap": {"response": {"a": 1.0}}})),
        (lambda ml: ml.sparse("m", ["a"]), said({"dataAsMap": {"response": ["a"]}})),
        (lambda ml: ml.sparse("m", ["a"]), said({"dataAsMap": None})),
        (lambda ml: ml.answer("m", "q", "c"), said({"result": None})),
        (lambda ml: ml.answer("m", "q", "c"), said({"result": 5})),
        (lambda ml: ml.answer("m", "q", "c"), said()),
        (lambda ml: ml.highlight("m", "q", "c"), said({"dataAsMap": {"highlights": [{"start": 0}]}})),
        (lambda ml: ml.highlight("m", "q", "c"), said({"dataAsMap": {"highlights": [{"start": "0", "end": "1"}]}})),
        (lambda ml: ml.highlight("m", "q", "c"), said({"dataAsMap": {"highlights": [{"start": 0.5, "end": 1}]}})),
        (lambda ml: ml.highlight("m", "q", "c"), said({"dataAsMap": {"highlights": [{"start": None, "end": 1}]}})),
        (lambda ml: ml.highlight("m", "q", "c"), said({"dataAsMap": {"highlights": [{"start": True, "end": 1}]}})),
        (lambda ml: ml.highlight("m", "q", "c"), said({"dataAsMap": {"highlights": None}})),
        (lambda ml: ml.answer("m", "q", "c"), HttpResponse(200, b"<html>", {"content-type": "text/html"})),
        (lambda ml: ml.sparse("m", ["a"]), []),
    ],
)
async def test_what_is_missing_in_an_answer_is_never_made_up(call: Any, data: Any) -> None:
    async with Session(transport=Says(data)) as ml:
        with pytest.raises(DecodeError) as caught:
            await call(ml)
    assert caught.value.request.path.endswith("/m")


async def test_no_highlight_is_an_answer_too() -> None:
    async with Session(transport=Says(said({"dataAsMap": {"highlights": []}}))) as ml:
        assert await ml.highlight("m", "q", "c") == []


async def test_scores_of_a_remote_reranker_in_one_result() -> None:
    async with Session(transport=Says(said({"data": [0.25]}, {"data": [0.5]}))) as ml:
        assert (await ml.rerank("m", "q", ["a", "b"])).tolist() == [0.25, 0.5]


async def test_a_text_that_was_cut_within_a_character_is_refused_with_its_place() -> None:
    says = Says({})
    async with Session(transport=says) as ml:
        with pytest.raises(InvalidRequest, match=r"\['text_docs'\]\[1\]$"):
            await ml.embed_many("m", ["fine", "cut \ud83d"])
    assert says.heard == []


async def test_texts_may_be_a_tuple_and_a_subclass_of_text() -> None:
    class Title(str):
        __slots__ = ()

    says = Says(RECORDED["predict.dense"].response)
    async with Session(transport=says) as ml:
        assert (await ml.embed_many("m", ("a", Title("b")))).shape == (2, 384)
    assert says.body["text_docs"] == ["a", "b"]
    assert "parameters" not in says.body


async def test_rows_are_streamed_through_a_model_with_their_side() -> None:
    says = Says(RECORDED["predict.dense_cbor"].response)
    async with Session(transport=says) as ml:
        async with ml.embed("m", ["a", "b", "c", "d"], batch=2, content_type="passage") as embedded:
            got = [(row, vector.shape) async for row, vector in embedded]
    assert got == [(row, (384,)) for row in "abcd"]
    assert [orjson.loads(sent.body or b"")["parameters"] for sent in says.heard] == [{"content_type": "passage"}] * 2


async def test_no_repr_of_a_session_shows_a_password() -> None:
    for ml in (
        Session("http://admin:h0sh-h0sh@node:9200"),
        Session("http://node:9200", auth=("admin", "h0sh-h0sh"), headers={"x-key": "h0sh-h0sh"}),
        Session("https://node:9200", client_cert="c.pem", client_key_password="h0sh-h0sh"),
    ):
        assert "h0sh" not in f"{ml!r} {ml} {ml.url} {ml.models!r} {ml.options(retries=1)!r} {vars(ml)!r}"
    with pytest.raises(ValueError, match="url must be like") as caught:
        Session("ftp://admin:h0sh-h0sh@node")
    assert "h0sh" not in str(caught.value)
