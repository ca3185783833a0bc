"""Queries as dicts: the field names of the API, and what cannot be a query is refused with the remedy."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from aiomlcommons import InvalidRequest
from aiomlcommons.api.model_records import Model
from aiomlcommons.lifecycle.ensured import EnsuredModel
from aiomlcommons.queries import hybrid, knn, neural, neural_sparse

MATCH = {"match": {"text": "wisdom"}}


def test_a_neural_query_has_what_was_given_and_no_more() -> None:
    assert neural("embedding", "a text") == {"neural": {"embedding": {"query_text": "a text"}}}
    query = neural("v", "a text", model_id="m", k=5, filter=MATCH, rescore=False, boost=2.0, name="first")
    expected = {"query_text": "a text", "model_id": "m", "k": 5, "filter": MATCH, "rescore": False, "boost": 2.0}
    assert query == {"neural": {"v": {**expected, "_name": "first"}}}


def test_the_id_of_a_model_is_plain_text() -> None:
    query = neural("v", "a text", model_id=EnsuredModel(model_id="m", model=Model()))
    assert type(query["neural"]["v"]["model_id"]) is str


def test_a_sparse_query_takes_a_text_or_tokens() -> None:
    assert neural_sparse("w", "a text", analyzer="bert-uncased") == {
        "neural_sparse": {"w": {"query_text": "a text", "analyzer": "bert-uncased"}}
    }
    assert neural_sparse("w", query_tokens={"a": 1.0}) == {"neural_sparse": {"w": {"query_tokens": {"a": 1.0}}}}


@pytest.mark.parametrize("vector", [np.array([0.5, 1.0], "f4"), [0.5, 1.0], (number for number in (0.5, 1.0))])
def test_a_vector_is_a_list_of_numbers(vector: Any) -> None:
    assert knn("v", vector, k=3) == {"knn": {"v": {"vector": [0.5, 1.0], "k": 3}}}


def test_a_distance_by_the_inner_product_may_be_below_zero() -> None:
    assert knn("v", [1.0], max_distance=-0.5)["knn"]["v"]["max_distance"] == -0.5
    assert neural("v", "a", max_distance=-0.5)["neural"]["v"]["max_distance"] == -0.5
    for distance in (math.nan, math.inf, 10**400, "1"):
        with pytest.raises((TypeError, ValueError), match="max_distance must be a number or None"):
            knn("v", [1.0], max_distance=distance)  # type: ignore[arg-type]


@pytest.mark.parametrize(("kind", "plain"), [("f4", float), ("i1", int)])
def test_numbers_of_numpy_become_plain_ones(kind: str, plain: type) -> None:
    (query,) = knn("v", list(np.array([1, 2], kind)), k=3).values()
    assert [type(number) for number in query["v"]["vector"]] == [plain, plain]


def test_a_hybrid_query_has_its_queries_in_order() -> None:
    found = hybrid(MATCH, neural("v", "a text"), filter={"term": {"a": 1}}, pagination_depth=50)
    assert found == {
        "hybrid": {"queries": [MATCH, neural("v", "a text")], "filter": {"term": {"a": 1}}, "pagination_depth": 50}
    }


WRONG: dict[str, tuple[Callable[[], Any], str]] = {
    "no text": (lambda: neural("v"), "neural needs query_text or query_image or query_tokens"),
    "blank": (lambda: neural("v", " "), "query_text must be a text with a word in it, not blank"),
    "no string": (lambda: neural("v", 7), "not int"),  # type: ignore[arg-type]
    "limits": (lambda: neural("v", "a", k=1, min_score=0.5), "neural: k and min_score exclude each other"),
    "no field": (lambda: neural("", "a"), "neural: field must be the name of a field, not ''"),
    "a record": (lambda: neural("v", "a", model_id=Model(name="m")), "model_id must be the id of a model, not Model"),  # type: ignore[arg-type]
    "both": (lambda: neural_sparse("w", "a", model_id="m", analyzer="b"), "model_id and analyzer exclude each other"),
    "no limit": (lambda: knn("v", [1.0]), "knn needs k or min_score or max_distance"),
    "no vector": (lambda: knn("v", [], k=1), "vector must not be empty"),
    "text": (lambda: knn("v", "abc", k=1), "vector must be numbers, not str"),  # type: ignore[arg-type]
    "several": (lambda: knn("v", np.zeros((2, 2)), k=1), "must be one vector, not several: search for each of them"),
    "NaN": (lambda: knn("v", [1.0, math.nan], k=1), r"vector\[1\] must be a number, not nan"),
    "texts": (lambda: knn("v", ["1"], k=1), r"vector\[0\] must be a number, not '1'"),  # type: ignore[list-item]
    "huge": (lambda: knn("v", [10**400], k=1), r"vector\[0\] must be a number, not 1000"),
    "a bool": (lambda: knn("v", [True], k=1), r"vector\[0\] must be a number, not True"),
    "nothing": (hybrid, "there is no query to combine"),
    "a word": (lambda: hybrid(MATCH, "wisdom"), r"queries\[1\] must be a dict .* not str"),  # type: ignore[arg-type]
    "a body": (lambda: hybrid({"query": MATCH}), r"queries\[0\] must be the query itself, without the body"),
    "two kinds": (lambda: hybrid({**MATCH, "term": {}}), "only key, and has 'match', 'term'; a bool query joins"),
    "no filter": (lambda: neural("v", "a", filter={}), "filter must have one kind of query"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_no_query_is_refused(name: str) -> None:
    make, words = WRONG[name]
    with pytest.raises(InvalidRequest, match=words):
        make()
