"""Decoding of embeddings to arrays, in each format that models send."""

from __future__ import annotations

import base64
from decimal import Decimal
from typing import Any

import cbor2
import numpy as np
import orjson
import pytest

from aiomlcommons import DecodeError, HttpResponse
from aiomlcommons.inference.predictions import sparse_vectors
from aiomlcommons.inference.vectors import embeddings, outputs
from tests.wire.recordings import exchanges

WANTED = np.array([[1.5, -2.0, 3.25], [0.0, 1e-7, -4.5]], "f4")
# Vectors of this size in bytes and above are read without decoding the surrounding CBOR.
LONG = np.arange(32, dtype="f4").reshape(2, 16)


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


def test_a_number_of_many_digits_that_cbor_has_as_a_decimal_is_a_number() -> None:
    rows = [[0.5, Decimal("0.35355339059327373")], [0.25, -0.75]]
    got = embeddings(
        cbor(local([{"name": "sentence_embedding", "data_type": "FLOAT32", "data": row} for row in rows])), 2
    )
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got, np.array([[0.5, 0.35355339059327373], [0.25, -0.75]], "f4"))
    weights = {"dataAsMap": {"response": [{"soft": Decimal("0.35355339059327373"), "answer": 1.5}]}}
    sparse = sparse_vectors(cbor({"inference_results": [{"output": [weights]}]}), 1)
    assert sparse == [{"soft": 0.35355339059327373, "answer": 1.5}]
    assert {type(weight) for one in sparse for weight in one.values()} == {float}


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
        (
            json(local([tensor([1], "numbers"), tensor([1, 2], "numbers")])),
            r"of texts\[1\] has 2 numbers, and the others 1",
        ),
        (cbor(local([tensor([1], "bytes"), tensor([1, 2], "bytes")])), r"of texts\[1\] has 8 bytes, and the others 4"),
        (
            json(local([{"name": "output", "dataAsMap": {}}] * 2)),
            "neither numbers nor bytes but .*; is it an",
        ),
        (json(local([{"name": "x", "data": ["a"]}] * 2)), r"of texts\[0\] has 'a' in place of a number"),
        (json([]), "it has no inference_results"),
        (json({"inference_results": [1]}), "it has no inference_results"),
        (HttpResponse(200, b"<html>", {"content-type": "text/html"}), "no embeddings in the response"),
        (HttpResponse(200, b"\xbf\x61", {"content-type": "application/cbor"}), "no embeddings in the response"),
        (HttpResponse(200, b"", {"content-type": "application/cbor"}), "no embeddings in the response"),
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


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize(
    ("encode", "form"), [(json, "numbers"), (json, "base64"), (cbor, "numbers"), (cbor, "bytes"), (cbor, "big")]
)
@pytest.mark.parametrize("wanted", [WANTED, LONG], ids=["short", "long"])
def test_every_form_gives_an_array_of_the_callers_own(wanted: Any, count: int, encode: Any, form: str) -> None:
    got = embeddings(encode(local([tensor(vector, form) for vector in wanted[:count]])), count)
    got /= np.linalg.norm(got, axis=1, keepdims=True)
    assert got.flags.writeable
    assert got.flags.c_contiguous
    assert got.flags.aligned


@pytest.mark.parametrize("data_type", ["INT8", "UINT8", "UBINARY", "FLOAT16", "FLOAT64", "INT64", "BOOLEAN"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_bytes_of_any_type_and_order_are_read(data_type: str, order: str) -> None:
    kinds = {"INT8": "i1", "UINT8": "u1", "UBINARY": "u1", "FLOAT16": "f2", "FLOAT64": "f8", "INT64": "i8"}
    dtype = kinds.get(data_type, "?")
    wanted = np.array([[0, 1, 1], [1, 0, 1]]) * (1 if dtype == "?" else 100)
    name = {"<": "LITTLE_ENDIAN", ">": "BIG_ENDIAN"}[order]
    tensors = [
        {
            "name": "sentence_embedding",
            "data_type": data_type,
            "byte_buffer": {"array": row.astype(order + dtype).tobytes(), "order": name},
        }
        for row in wanted
    ]
    got = embeddings(cbor(local(tensors)), 2)
    assert got.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(got, wanted)


def test_numbers_above_127_are_unsigned_where_the_model_says_so() -> None:
    tensors = [tensor([200, 255], "numbers", data_type="UBINARY")]
    assert embeddings(json(remote(tensors)), 1).tolist() == [[200, 255]]


def test_other_outputs_beside_the_embedding_may_be_bytes_too() -> None:
    both = [{"output": [tensor(v, "bytes"), tensor([9.0] * 8, "bytes", name="token_embeddings")]} for v in WANTED]
    np.testing.assert_array_equal(embeddings(cbor({"inference_results": both}), 2), WANTED)


def test_bytes_and_numbers_together_are_the_bytes() -> None:
    both = [tensor(vector, "base64", data=[0.0]) for vector in WANTED]
    np.testing.assert_array_equal(embeddings(json(local(both)), 2), WANTED)


def test_embeddings_of_nothing_are_none() -> None:
    assert embeddings(json({"inference_results": []}), 0).shape == (0, 0)
    assert embeddings(cbor({"inference_results": []}), 0).shape == (0, 0)


BYTES = tensor([1.0, 2.0], "bytes")
TEXT = tensor([1.0, 2.0], "base64")


@pytest.mark.parametrize(
    "got",
    [
        json(local([tensor([1], "numbers", data=None)])),
        json(local([tensor([1], "numbers", data=5)])),
        json(local([tensor([1], "numbers", data="12")])),
        json(local([tensor([1], "numbers", data=[[1.0], [2.0]])])),
        json(local([tensor([1], "numbers", data=[{}])])),
        json(local([tensor([1], "numbers", data=[300], data_type="INT8")])),
        json(local([tensor([1], "numbers", data_type=[])])),
        json(local([{**TEXT, "byte_buffer": {"array": "a", "order": "LITTLE_ENDIAN"}}])),
        json(local([{**TEXT, "byte_buffer": {"array": "!!!!", "order": "LITTLE_ENDIAN"}}])),
        json(local([{**TEXT, "byte_buffer": {"order": "LITTLE_ENDIAN"}}])),
        json(local([{**TEXT, "byte_buffer": None}])),
        cbor(local([{**BYTES, "byte_buffer": {"array": b"12345", "order": "LITTLE_ENDIAN"}}])),
        cbor(local([{**BYTES, "byte_buffer": {"array": 5, "order": "LITTLE_ENDIAN"}}])),
        json(local([5])),
        json(local([None])),
        json({"inference_results": None}),
        json({"inference_results": [{"output": None}]}),
        json(None),
    ],
)
def test_an_embedding_that_is_none_is_refused_and_never_guessed(got: HttpResponse) -> None:
    with pytest.raises(DecodeError, match=r"no embeddings in the response|the embedding of texts\[0\]") as caught:
        embeddings(got, 1)
    assert caught.value.response is got


@pytest.mark.parametrize("wanted", [WANTED, LONG], ids=["short", "long"])
def test_an_answer_that_was_cut_off_is_refused_wherever_it_ends(wanted: Any) -> None:
    whole = cbor(local([tensor(vector, "bytes") for vector in wanted]))
    # Garbage after the last vector does not matter to the fast path.
    for cut in range(whole.body.rindex(wanted[-1].tobytes()) + wanted[-1].nbytes):
        with pytest.raises(DecodeError):
            embeddings(HttpResponse(200, whole.body[:cut], whole.headers), 2)


@pytest.mark.parametrize("form", ["bytes", "big"])
@pytest.mark.parametrize("wanted", [WANTED, LONG], ids=["short", "long"])
def test_vectors_at_uneven_distances_are_read_all_the_same(wanted: Any, form: str) -> None:
    rows = [tensor(wanted[0], form), tensor(wanted[1], form, note="x"), tensor(wanted[0], form)]
    np.testing.assert_array_equal(embeddings(cbor(local(rows)), 3), wanted[[0, 1, 0]])


def test_long_vectors_beside_other_outputs_are_found_by_their_name() -> None:
    other = tensor(LONG[0] + 100, "bytes", name="token_embeddings")
    for at in (0, 1):
        both: list[dict[str, Any]] = [{"output": [tensor(vector, "bytes")]} for vector in LONG]
        for result in both:
            result["output"].insert(at, other)
        np.testing.assert_array_equal(embeddings(cbor({"inference_results": both}), 2), LONG)
        one = {"inference_results": both[:1]}
        np.testing.assert_array_equal(embeddings(cbor(one), 1), LONG[:1])


@pytest.mark.parametrize(("given", "count"), [(1, 2), (3, 2), (2, 1), (2, 3), (1, 3), (4, 2)])
def test_too_few_or_too_many_long_vectors_are_refused(given: int, count: int) -> None:
    got = cbor(local([tensor(LONG[0], "bytes")] * given))
    with pytest.raises(DecodeError, match=f"{count} texts were sent and {given} embeddings came back"):
        embeddings(got, count)


def test_long_vectors_of_other_lengths_are_refused() -> None:
    with pytest.raises(DecodeError, match=r"the embedding of texts\[1\] has 60 bytes, and the others 64"):
        embeddings(cbor(local([tensor(LONG[0], "bytes"), tensor(LONG[1][:15], "bytes")])), 2)
    odd = {**BYTES, "byte_buffer": {"array": bytes(30), "order": "LITTLE_ENDIAN"}}
    with pytest.raises(DecodeError, match="no embeddings in the response"):
        embeddings(cbor(local([odd, odd])), 2)


def test_long_bytes_of_another_type_are_of_that_type() -> None:
    raw = {"array": bytes(range(64)), "order": "LITTLE_ENDIAN"}
    one = {"name": "sentence_embedding", "data_type": "UINT8", "byte_buffer": raw}
    assert embeddings(cbor(local([one])), 1).tolist() == [list(range(64))]


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("vector", "words"),
    [
        ([1.0, None], "has null in place of a number, at position 1"),
        # ML Commons writes these as strings (3.8).
        ([1.0, "NaN"], "has 'NaN' in place of a number, at position 1"),
        (["Infinity", 1.0], "has 'Infinity' in place of a number, at position 0"),
        (["1.5", "2.5"], "has '1.5' in place of a number, at position 0"),
        ([1.0, 1e300], "has inf in place of a number, at position 1"),
        ([1.0, [2.0]], r"has \[2.0\] in place of a number, at position 1"),
        ([], "has 0 numbers, and the others 2"),
        ([1.0], "has 1 numbers, and the others 2"),
        ([1.0, 2.0, 3.0], "has 3 numbers, and the others 2"),
        (None, "must be a list of numbers, not NoneType"),
    ],
)
@pytest.mark.parametrize("index", [0, 1, 2])
@pytest.mark.parametrize("encode", [json, cbor])
def test_the_text_whose_embedding_is_at_fault_is_named(encode: Any, index: int, vector: Any, words: str) -> None:
    rows = [tensor([1, 2], "numbers") for _ in range(3)]
    rows[index]["data"] = vector
    with pytest.raises(DecodeError, match=rf"the embedding of texts\[{index}\] {words}") as caught:
        embeddings(encode(remote(rows)), 3)
    assert caught.value.index == index


@pytest.mark.parametrize(
    ("case", "count", "words"),
    [
        ("vector_with_null", 1, r"texts\[0\] has null in place of a number, at position 1"),
        ("vector_with_nan", 1, r"texts\[0\] has 'NaN' in place of a number, at position 1"),
        ("vectors_too_few", 1, "1 texts were sent and 0 embeddings came back"),
        ("vectors_of_two_dimensions", 2, r"texts\[1\] has 2 numbers, and the others 1"),
    ],
)
def test_what_a_real_cluster_makes_of_odd_vectors_is_refused(case: str, count: int, words: str) -> None:
    (got,) = [e.response for e in exchanges() if e.case == f"plain38.provider.{case}"]
    with pytest.raises(DecodeError, match=words):
        embeddings(got, count)


@pytest.mark.parametrize("form", ["bytes", "big"])
@pytest.mark.parametrize("number", [NAN, INF, -INF])
def test_bytes_that_are_no_finite_numbers_are_refused(form: str, number: float) -> None:
    with pytest.raises(DecodeError, match=rf"the embedding of texts\[1\] has {number} in place of a number") as caught:
        embeddings(cbor(local([tensor([1, 2], form), tensor([1, number], form)])), 2)
    assert caught.value.index == 1


def test_embeddings_without_a_number_are_refused() -> None:
    for form in ("numbers", "bytes"):
        with pytest.raises(DecodeError, match=r"the embedding of texts\[0\] has 0 (numbers|bytes)"):
            embeddings(cbor(local([tensor([], form)] * 2)), 2)
