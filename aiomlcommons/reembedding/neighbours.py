"""The nearest documents: whether a text finds its own, and which of them both models agree on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from aiomlcommons.concurrency import fan_out
from aiomlcommons.evaluating.requirements import Requirement
from aiomlcommons.indices.mapping import field_of
from aiomlcommons.inference.fields import value_of
from aiomlcommons.inference.words import is_missing
from aiomlcommons.queries import Query, knn, neural_sparse
from aiomlcommons.reembedding.asking import hits_of
from aiomlcommons.reembedding.task import Task
from aiomlcommons.reembedding.vectors import Sampled, numbers_of
from aiomlcommons.searching.vector_queries import features

if TYPE_CHECKING:
    from aiomlcommons.client import Client

NEIGHBOURS = 10
"""How many of the nearest documents are compared, unless another number is required."""
# Searches at once.
_AT_ONCE = 8


async def neighbours(
    ml: Client, task: Task, sample: Sequence[Sampled], made: Sequence[Any], require: Iterable[Requirement]
) -> dict[str, float]:
    """Return whether documents are found by their own texts, and which neighbours they share in both indices.

    ``made`` are vectors of the sample that the model made anew. Raises ApiError, ConnectError.
    """
    counts = _counts_of_hits(require)
    most = max(*counts["overlap"], *counts["self"]) + 1
    nearest = await _in_field(ml, task.target, task.field)
    new = await nearest([one.id for one in sample], made, most, source=task.text_of.names)
    figures = {f"self@{k}": _mean([_finds_itself(one, new[one.id], k, task) for one in sample]) for k in counts["self"]}
    old_vectors = await _old_vectors(ml, task, [one.id for one in sample])
    if not old_vectors:
        return figures | {f"overlap@{k}": float("nan") for k in counts["overlap"]}
    old_nearest = await _in_field(ml, task.source, task.old_field or "")
    old = await old_nearest(list(old_vectors), list(old_vectors.values()), most, source=[])
    for k in counts["overlap"]:
        figures[f"overlap@{k}"] = _mean([_shared(key, old[key], new[key], k) for key in old_vectors])
    return figures


@attrs.frozen
class _Nearest:
    """A search of an index for the documents whose vectors in a field, of this type, are the nearest."""

    ml: Client
    index: str
    field: str
    type: str

    async def __call__(
        self, keys: Sequence[str], vectors: Sequence[Any], most: int, *, source: Sequence[str]
    ) -> dict[str, list[Any]]:
        """Return the hits of each vector, by the key beside it, with these fields of their documents."""

        async def search(one: tuple[str, Any]) -> tuple[str, list[Any]]:
            body = {"size": most, "query": self._query(one[1], most), "_source": list(source) or False}
            return one[0], await hits_of(self.ml, self.index, body)

        pairs = (pair for pair in zip(keys, vectors, strict=True))
        async with fan_out(search, pairs, concurrency=_AT_ONCE, ordered=False) as results:
            return {key: hits async for key, hits in results}

    def _query(self, vector: Any, most: int) -> Query:
        found = numbers_of(vector)
        if self.type == "knn_vector":
            return knn(self.field, [float(number) for number in found], k=most)
        if self.type == "rank_features":
            return features(self.field, found)
        return neural_sparse(self.field, query_tokens=dict(found))


async def _in_field(ml: Client, index: str, field: str) -> _Nearest:
    mappings = (await ml.indices.mapping(index))[index].mappings
    return _Nearest(ml, index, field, str(field_of(mappings, field).get("type")))


def _finds_itself(one: Sampled, hits: Sequence[Any], k: int, task: Task) -> float:
    """Return 1 if a document is among the first hits of its own text; one of the same text or score counts as it."""
    first = hits[:k]
    if not first:
        return 0.0
    least = first[-1]["_score"]
    ties = [hit for hit in hits if hit["_score"] >= least]
    return float(any(hit["_id"] == one.id or _text_of(hit, task) == one.text for hit in ties))


def _text_of(hit: Mapping[str, Any], task: Task) -> Any:
    try:
        return task.text_of(hit.get("_source") or {})
    except (LookupError, TypeError):
        return None


def _shared(key: str, old: Sequence[Any], new: Sequence[Any], k: int) -> float:
    first, second = ({hit["_id"] for hit in [one for one in hits if one["_id"] != key][:k]} for hits in (old, new))
    most = min(k, max(len(first), len(second)))
    return len(first & second) / most if most else 1.0


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else float("nan")


async def _old_vectors(ml: Client, task: Task, keys: Sequence[str]) -> dict[str, Any]:
    """Return the old vectors of documents; those that ``_source`` leaves out are none."""
    if task.old_field is None:
        return {}
    found: dict[str, Any] = {}
    for hit in await hits_of(
        ml, task.source, {"size": len(keys), "query": {"ids": {"values": list(keys)}}, "_source": [task.old_field]}
    ):
        try:
            vector = value_of(hit.get("_source") or {}, task.old_field)
        except LookupError:
            continue
        if not is_missing(vector):
            found[hit["_id"]] = vector
    return found


def _counts_of_hits(require: Iterable[Requirement]) -> dict[str, set[int]]:
    """Return of how many hits overlap and self are measured."""
    found = {"overlap": {NEIGHBOURS}, "self": {1}}
    for one in require:
        if (name := one.metric.partition("@")[0]) in found and one.k is not None:
            found[name].add(one.k)
    return found
