"""Answers of models that give no dense embeddings: what is no score, weight or span is refused."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import cbor2
import numpy as np
import pytest

from aiomlcommons import DecodeError, HttpResponse
from aiomlcommons.inference import predictions


def answered(*tensors: dict[str, Any]) -> HttpResponse:
    data = {"inference_results": [{"output": list(tensors)}]}
    return HttpResponse(200, cbor2.dumps(data), {"content-type": "application/cbor"})


ODD: list[Any] = [float("nan"), float("inf"), None, "NaN", "1.5", True, [], Decimal("1E+500")]


@pytest.mark.parametrize("odd", [*ODD, 1e300, -(10**150)], ids=repr)
def test_a_score_that_is_no_finite_number_is_refused_and_its_document_named(odd: Any) -> None:
    got = answered({"data": [0.5]}, {"data": [odd]})
    with pytest.raises(DecodeError, match=r"the score of texts\[1\] must be a finite number, not") as caught:
        predictions.scores(got, 2)
    assert caught.value.index == 1


def test_scores_may_be_decimals_and_whole_numbers() -> None:
    got = answered({"data": [Decimal("0.35355339059327373")]}, {"data": [2]})
    np.testing.assert_array_equal(predictions.scores(got, 2), np.array([0.35355339059327373, 2], "f4"))


@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_a_weight_that_is_no_finite_number_is_refused_and_its_token_named(odd: Any) -> None:
    got = answered({"dataAsMap": {"response": [{"soft": 0.5}, {"soft": 1.5, "answer": odd}]}})
    with pytest.raises(DecodeError, match=r"the weight of 'answer' for texts\[1\] must be a finite number"):
        predictions.sparse_vectors(got, 2)


def test_a_token_without_a_name_may_have_no_bad_weight_either() -> None:
    with pytest.raises(DecodeError, match=r"the weight of '' for texts\[0\] must be a finite number, not 'x'"):
        predictions.sparse_vectors(answered({"dataAsMap": {"response": [{"": "x"}]}}), 1)


@pytest.mark.parametrize(("answer", "words"), [({0: 1.0}, "a key is no text"), ({"a": 10**5000}, "an integer of 2077")])
def test_weights_that_no_server_sends_are_not_decoded(answer: dict[Any, Any], words: str) -> None:
    with pytest.raises(DecodeError, match=words):
        predictions.sparse_vectors(answered({"dataAsMap": {"response": [answer]}}), 1)


@pytest.mark.parametrize("indexes", [[0, 0], [1, 2], [0, 5], [0, None]])
def test_results_that_are_not_one_for_each_document_are_refused(indexes: list[Any]) -> None:
    results = [{"index": index, "relevance_score": 0.5} for index in indexes]
    with pytest.raises(DecodeError):
        predictions.scores(answered({"dataAsMap": {"results": results}}), 2)


@pytest.mark.parametrize(("start", "end"), [(3, 2), (-1, 4), (0, 500), (500, 501), (0.5, 2), (0, 1e300), (None, 1)])
def test_a_span_that_is_not_in_the_context_is_refused(start: Any, end: Any) -> None:
    span = {"start": start, "end": end}
    with pytest.raises(DecodeError, match="not of this kind of model"):
        predictions.highlights(answered({"dataAsMap": {"highlights": [span]}}), "A soft answer")
