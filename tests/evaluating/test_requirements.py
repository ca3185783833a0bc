"""Requirements are read as they are written, say what is wrong with them, and what is not fulfilled."""

from __future__ import annotations

import math

import pytest

from aiomlcommons import InvalidRequest
from aiomlcommons.evaluating.requirements import OF_EVALUATION, requirements, unmet

FIGURES = {"old": {"ndcg@10": 0.58, "recall@10": 0.9}, "new": {"ndcg@10": 0.56, "recall@10": 0.95, "cosine": 0.9995}}


@pytest.mark.parametrize(
    ("words", "metric", "k", "other", "number"),
    [
        ("ndcg@10 >= old - 0.02", "ndcg@10", 10, "old", -0.02),
        ("  mrr@5>=old+.1 ", "mrr@5", 5, "old", 0.1),
        ("recall@100 >= docs-2024.1", "recall@100", 100, "docs-2024.1", 0.0),
        ("recall@1 >= 0.75", "recall@1", 1, None, 0.75),
        ("overlap@10 >= 0.6", "overlap@10", 10, None, 0.6),
        ("self@1 >= 1", "self@1", 1, None, 1.0),
        ("cosine >= 0.999", "cosine", None, None, 0.999),
        ("cosine >= -0.5", "cosine", None, None, -0.5),
    ],
)
def test_a_requirement_is_read(words: str, metric: str, k: int | None, other: str | None, number: float) -> None:
    (found,) = requirements(words)
    assert (found.metric, found.k, found.other, found.number) == (metric, k, other, number)
    assert found.words == words.strip()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("ndcg@10", "'ndcg@10' cannot be read: write 'METRIC >= NUMBER' or 'METRIC >= old - NUMBER'"),
        ("ndcg@10 > 0.5", "cannot be read"),
        ("ndcg@10 >= old - 2 %", "cannot be read"),
        ("ndcg@0 >= 0.5", "cannot be read"),
        ("ndcg >= 0.5", "ndcg takes a number of hits, such as ndcg@10"),
        ("cosine@1 >= 0.5", "cosine takes no number of hits: cosine"),
        ("recal@10 >= 0.5", "there is no metric 'recal'; did you mean 'recall@k'"),
        ("map@10 >= 0.5", "there is no metric 'map'; there are recall@k, ndcg@k"),
        ("overlap@10 >= old", "overlap compares the old index with the new one already"),
        ("ndcg@10 >= 90", "no metric is above 1: 2 percent of it is 0.02"),
        ("ndcg@10 >= old - 2", "no metric is above 1"),
        (3, "require must be a list of requirements, not"),
        ([3], "require must hold texts, not"),
        ({"ndcg@10": 0.5}, "require must be a list of requirements, not"),
    ],
)
def test_what_cannot_be_read_is_said_with_the_remedy(words: object, says: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        requirements(words)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert says in str(raised.value)


def test_what_is_not_fulfilled_is_said_with_the_figures() -> None:
    words = ["ndcg@10 >= old - 0.02", "recall@10 >= old", "cosine >= 0.999"]
    assert unmet(requirements(words), FIGURES, "new") == []
    assert unmet(requirements(["ndcg@10 >= old - 0.01", "recall@10 >= 0.96"]), FIGURES, "new") == [
        "ndcg@10 >= old - 0.01: ndcg@10 of new is 0.5600, at least 0.5700 is required (that of old is 0.5800)",
        "recall@10 >= 0.96: recall@10 of new is 0.9500, at least 0.9600 is required",
    ]


def test_what_could_not_be_measured_is_not_fulfilled() -> None:
    figures = {"new": {"ndcg@10": math.nan}}
    assert unmet(requirements("ndcg@10 >= 0"), figures, "new") == ["ndcg@10 >= 0: ndcg@10 of new could not be measured"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("mrr@10 >= 0.5", "mrr@10 of new was not measured; there are ndcg@10, recall@10, cosine"),
        ("ndcg@10 >= odl", "there is no system 'odl'; did you mean 'old'"),
    ],
)
def test_what_was_not_measured_cannot_be_judged(words: str, says: str) -> None:
    with pytest.raises(InvalidRequest, match=says):
        unmet(requirements(words), FIGURES, "new")


def test_an_evaluation_does_not_know_the_metrics_of_the_check() -> None:
    with pytest.raises(InvalidRequest, match="there is no metric 'overlap'"):
        requirements("overlap@10 >= 0.5", known=OF_EVALUATION)
