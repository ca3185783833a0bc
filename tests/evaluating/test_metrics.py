"""The metrics are those of trec_eval, and their intervals those of the mean."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson
import pytest

from aiomlcommons.evaluating.intervals import intervals
from aiomlcommons.evaluating.metrics import measured, names_of
from tests.evaluating.expected import CUTS, FILE, cases

CASES: list[dict[str, Any]] = orjson.loads(FILE.read_bytes())


def test_all_metrics_are_those_of_trec_eval() -> None:
    for case in CASES:
        found = dict(zip(names_of(CUTS), measured(case["found"], case["grades"], CUTS), strict=True))
        assert found == pytest.approx(case["expected"], abs=1e-8)


def test_the_cases_are_those_that_trec_eval_was_asked_about() -> None:
    assert [{"grades": case["grades"], "found": case["found"]} for case in CASES] == cases()
    assert sum(not case["found"] for case in CASES) > 1
    assert all(len({case["expected"][name] for case in CASES}) > 1 for name in names_of(CUTS))


@pytest.mark.parametrize(
    ("found", "recall", "ndcg", "mrr", "judged"),
    [
        (["a", "b"], 1.0, 1.0, 1.0, 1.0),
        (["b", "a"], 1.0, (1 + 2 / np.log2(3)) / (2 + 1 / np.log2(3)), 1.0, 1.0),
        (["x", "y", "a"], 0.5, 0.5 * 2 / (2 + 1 / np.log2(3)), 1 / 3, 1 / 3),
        (["c"], 0.0, 0.0, 0.0, 1.0),
        ([], 0.0, 0.0, 0.0, 0.0),
    ],
)
def test_what_the_metrics_are(found: Sequence[str], recall: float, ndcg: float, mrr: float, judged: float) -> None:
    values = measured(found, {"a": 2, "b": 1, "c": 0}, [3])
    # Of the third one the discount is a half.
    assert values == pytest.approx([recall, ndcg, mrr, judged])


def test_intervals_hold_the_mean_as_often_as_they_say() -> None:
    random = np.random.default_rng(1)
    samples = random.random((100, 60))
    low, high = intervals(samples.T)
    assert 85 <= int(((low <= 0.5) & (high >= 0.5)).sum()) <= 100
    assert (low < samples.mean(axis=1)).all()
    again = intervals(samples.T)
    assert (again[0] == low).all()


def test_the_interval_of_what_never_differs_is_a_point() -> None:
    low, high = intervals(np.full((1, 2), 0.25))
    assert (low.tolist(), high.tolist()) == ([0.25, 0.25], [0.25, 0.25])
