"""Recall, nDCG and MRR, as trec_eval defines them, and how many of the documents found were judged."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

from aiomlcommons.evaluating.judgments import Grades

KINDS = ("recall", "ndcg", "mrr", "judged")


def names_of(ks: Sequence[int]) -> tuple[str, ...]:
    """Return the names of all metrics, in the order of ``measured``."""
    return tuple(f"{kind}@{k}" for kind in KINDS for k in ks)


def measured(found: Sequence[str], grades: Grades, ks: Sequence[int]) -> list[float]:
    """Return all metrics of the documents found for a query, best first and each once.

    - recall@k: the share of the relevant documents that are among the first k.
    - ndcg@k: the grades of the first k, discounted by the logarithm of their ranks, as a share of the best sum.
    - mrr@k: 1 divided by the rank of the first relevant document, 0 if none is among the first k.
    - judged@k: the share of the first k that have a judgment, whatever their grade.

    A document without a judgment, and one of a grade below 0, counts as one of grade 0. There must be a relevant one.
    """
    gains = [max(0, grades.get(document, 0)) for document in found]
    ideal = sorted((grade for grade in grades.values() if grade > 0), reverse=True)
    first = next((rank for rank, gain in enumerate(gains, 1) if gain), math.inf)
    recall = [sum(map(bool, gains[:k])) / len(ideal) for k in ks]
    ndcg = [_discounted(gains[:k]) / _discounted(ideal[:k]) for k in ks]
    mrr = [1 / first if first <= k else 0.0 for k in ks]
    judged = [sum(map(grades.__contains__, found[:k])) / max(1, len(found[:k])) for k in ks]
    return [*recall, *ndcg, *mrr, *judged]


def _discounted(gains: Sequence[float]) -> float:
    return math.fsum(gain * _discount(rank) for rank, gain in enumerate(gains) if gain)


@cache
def _discount(rank: int) -> float:
    return 1 / math.log2(rank + 2)
