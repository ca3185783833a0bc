"""Answers to arrays, in whichever form a model gives its embeddings."""

from __future__ import annotations

import base64
from typing import Any

import cbor2
import numpy as np
import orjson
import pytest

from aiomlcommons import DecodeError, HttpResponse
from aiomlcommons.vectors import embeddings, outputs
from tests.wire.recordings import exchanges

WANTED = np.array([[1.5, -2.0, 3.25], [0.0, 1e-7, -4.5]], "f4")


def tensor(vector: Any, form: str, **more: Any) -> dict[str, Any]:
    base = {"name": "sentence_embedding", "data_type": "FLOAT32", "shape": [len(vector)]}
    raw = np.asarray(vector, ">f4" if form == "big" else "<f4").tobytes()
    order = "BIG_ENDIAN" if form == "big" else "LITTLE_ENDIAN"
    match form:
        case "numbers":
            return {**base, "data": [float(x) for x in vector], **more}
        case "base64":
            return {**base, "byte_buffer": {"array": base64.b64encode(raw).decode(), "order": order}, **more}
        case _:
            return {**base, "byte_buffer": {"array": raw, "order": order}, **more}


def local(tensors: list[Any]) -> dict[str, Any]:
    return {"inference_results": [{"output": [one]} for one in tensors]}


def remote(tensors: list[Any]) -> dict[str, Any]:
    return {"inference_results": [{"output": tensors, "status_code": 200}]}


def json(data: Any) -> HttpResponse:
    return HttpResponse(200, orjson.dumps(data), {"content-type": "application/json; charset=UTF-8"})


def cbor(data: Any) -> HttpResponse:
    return HttpResponse(200, cbor2.dumps(data), {"content-type": "application/cbor"})


@pytest.mark.parametrize("shape", [local, remote])
@pytest.mark.parametrize(
    ("encode", "form"), [(json, "numbers"), (json, "base64"), (cbor, "numbers"), (cbor, "bytes"), (cbor, "big")]
)
def test_every_form_gives_the_same_array(shape: Any, encode: Any, form: str) -> None:
    got = embeddings(encode(shape([tensor(vector, form) for vector in WANTED])), 2)
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got, WANTED)


@pytest.mark.parametrize("dimension", [1, 16, 63, 64, 384, 20_000])
@pytest.mark.parametrize("count", [1, 2, 64])
def test_bytes_in_cbor_of_any_size_are_read_in_one_go(count: int, dimension: int) -> None:
    wanted = np.arange(count * dimension, dtype="f4").reshape(count, dimension)
    got = embeddings(cbor(local([tensor(vector, "bytes") for vector in wanted])), count)
    np.testing.assert_array_equal(got, wanted)


def test_bytes_that_look_like_a_head_are_not_taken_for_one() -> None:
    trap = np.frombuffer(b"\x65array\x59\x00\x0c" + bytes(7), "<f4")
    wanted = np.stack([trap, trap, trap])
    got = embeddings(cbor(local([tensor(vector, "bytes") for vector in wanted])), 3)
    assert got.tobytes() == wanted.tobytes()


def test_the_embedding_is_chosen_among_other_outputs() -> None:
    both = [{"output": [tensor([9], "numbers", name="pooled"), tensor(v, "numbers")]} for v in WANTED]
    np.testing.assert_array_equal(embeddings(json({"inference_results": both}), 2), WANTED)


def test_a_remote_model_may_name_its_outputs_as_it_likes() -> None:
    named = [tensor(vector, "numbers", name="response") for vector in WANTED]
    np.testing.assert_array_equal(embeddings(json(remote(named)), 2), WANTED)


@pytest.mark.parametrize(("data_type", "dtype"), [("INT8", "i1"), ("UINT8", "u1"), ("FLOAT64", "f8"), ("NEW", "f4")])
def test_the_models_own_type_is_kept(data_type: str, dtype: str) -> None:
    got = embeddings(json(remote([tensor([1, 2], "numbers", data_type=data_type)])), 1)
    assert (got.dtype, got.tolist()) == (np.dtype(dtype), [[1, 2]])


@pytest.mark.parametrize(
    ("got", "words"),
    [
        (json(local([tensor([1], "numbers")])), "2 texts were sent and 1 embeddings came back"),
        (cbor(local([tensor([1], "bytes")] * 3)), "2 texts were sent and 3 embeddings came back"),
        (json(local([tensor([1], "numbers"), tensor([1, 2], "numbers")])), "no embeddings in the answer"),
        (cbor(local([tensor([1], "bytes"), tensor([1, 2], "bytes")])), "not all of one length"),
        (
            json(local([{"name": "output", "dataAsMap": {}}] * 2)),
            "neither numbers nor bytes but .*; is it an",
        ),
        (json(local([{"name": "x", "data": ["a"]}] * 2)), "could not convert"),
        (json([]), "there are no inference_results"),
        (json({"inference_results": [1]}), "there are no inference_results"),
        (HttpResponse(200, b"<html>", {"content-type": "text/html"}), "no embeddings in the answer"),
        (HttpResponse(200, b"\xbf\x61", {"content-type": "application/cbor"}), "no embeddings in the answer"),
        (HttpResponse(200, b"", {"content-type": "application/cbor"}), "no embeddings in the answer"),
    ],
)
def test_an_answer_without_an_embedding_for_each_text_is_refused(got: HttpResponse, words: str) -> None:
    with pytest.raises(DecodeError, match=words):
        embeddings(got, 2)


def test_an_empty_answer_has_no_outputs() -> None:
    assert outputs({}) == []


DENSE = {"predict.dense", "predict.dense_bytes", "predict.dense_bytes_and_numbers", "predict.dense_cbor"}
REMOTE = {"remote.predict_text_docs", "remote.predict_text_docs_cbor", "remote.predict_text_docs_bytes"}


@pytest.mark.parametrize("cases", [DENSE, REMOTE], ids=["local", "remote"])
def test_a_real_servers_forms_all_give_the_same_vectors(cases: set[str]) -> None:
    arrays = [embeddings(e.response, 2) for e in exchanges() if e.case in cases and "3.4.0.jsonl" in e.file]
    assert len(arrays) == len(cases)
    for array in arrays:
        assert array.shape == (2, 384)
        np.testing.assert_allclose(array, arrays[0], rtol=1e-6)
