"""How good the new index is, before the switch: vectors recomputed, neighbours compared, and the user's own queries."""

from __future__ import annotations

import base64
import random
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from aiomlcommons.concurrency import fan_out
from aiomlcommons.deferred import np
from aiomlcommons.evaluating.evaluate import evaluate
from aiomlcommons.evaluating.evaluation import Evaluation
from aiomlcommons.evaluating.requirements import Requirement, unmet
from aiomlcommons.evaluating.systems import Searched
from aiomlcommons.indices.mapping import field_of
from aiomlcommons.inference.fields import value_of
from aiomlcommons.inference.words import is_missing
from aiomlcommons.queries import Query, knn, neural_sparse
from aiomlcommons.reembedding.asking import hits_of
from aiomlcommons.reembedding.task import Task
from aiomlcommons.reembedding.wanted import Wanted
from aiomlcommons.searching.vector_queries import features

if TYPE_CHECKING:
    from aiomlcommons.client import Client
    from aiomlcommons.inference.methods import Side

SAMPLE = 50
"""Documents whose vectors are made anew."""
NEIGHBOURS = 10
COSINE = 0.999
"""The least cosine of a vector of the index with one that the model makes anew; servers need not add up alike."""
# How many places of the index the sample is taken from, and searches at once.
_PLACES, _AT_ONCE = 10, 8


@attrs.frozen(kw_only=True)
class Judged:
    """What was measured. ``figures`` are those of ``old`` and ``new`` by metric; ``sampled`` counts documents."""

    figures: Mapping[str, Mapping[str, float]]
    sampled: int
    unmet: tuple[str, ...]
    evaluation: Evaluation | None = None


@attrs.frozen
class Sampled:
    """A document of the sample: its id, its text, and its vector in the new index."""

    id: str
    text: str
    vector: Any


async def judged(ml: Client, wanted: Wanted, task: Task, *, seed: str) -> Judged:
    """Measure the new index by a sample and by the user's queries. Raises ApiError, and as ``ml.evaluate`` does."""
    sample = await _sample(ml, task, seed)
    figures: dict[str, dict[str, float]] = {"new": {}, "old": {}}
    if sample:
        made = await _embedded(ml, task.model, [one.text for one in sample], task.sparse, wanted.pace.content_type)
        figures["new"]["cosine"] = min(_cosine(one.vector, new) for one, new in zip(sample, made, strict=True))
        figures["new"] |= await _neighbours(ml, task, sample, made, _counts_of_hits(wanted))
    evaluation = await _evaluated(ml, wanted, task)
    for name in evaluation or ():
        figures[name] |= dict(evaluation[name]) if evaluation else {}
    return Judged(
        figures=figures,
        sampled=len(sample),
        unmet=tuple(_unmet(wanted.require, figures, sampled=bool(sample))),
        evaluation=evaluation,
    )


def _unmet(require: Sequence[Requirement], figures: Mapping[str, Mapping[str, float]], *, sampled: bool) -> list[str]:
    found = (
        unmet(require, figures, "new")
        if sampled
        else unmet([one for one in require if "@" in one.metric], figures, "new")
    )
    least = figures["new"].get("cosine", 1.0)
    if least < COSINE and not any(one.metric == "cosine" for one in require):
        found.append(
            f"cosine >= {COSINE}: a vector of the new index has the cosine {least:.4f} with the one that the model "
            "makes of its text now: was another version of the model deployed meanwhile?"
        )
    return found


# ---- the sample ------------------------------------------------------------------------------------------------------


async def _sample(ml: Client, task: Task, seed: str) -> list[Sampled]:
    """Return documents from several places of the new index, always the same ones of a run."""
    await ml.indices.refresh(task.target)
    newest = await hits_of(ml, task.target, {"size": 1, "sort": [{"_seq_no": "desc"}], "seq_no_primary_term": True})
    if not newest:
        return []
    last, chance = int(newest[0]["_seq_no"]), random.Random(seed)  # noqa: S311 - no secret
    found: dict[str, Sampled] = {}
    for place in sorted({0, *(chance.randint(0, last) for _ in range(_PLACES - 1))}):
        query = {"range": {"_seq_no": {"gte": place}}}
        for hit in await hits_of(
            ml, task.target, {"size": SAMPLE // _PLACES, "query": query, "sort": [{"_seq_no": "asc"}]}
        ):
            one = _sampled(hit, task)
            if one is not None:
                found[one.id] = one
    return list(found.values())


def _sampled(hit: Mapping[str, Any], task: Task) -> Sampled | None:
    source = hit.get("_source") or {}
    try:
        text, vector = task.text_of(source), value_of(source, task.field)
    except (LookupError, TypeError):
        return None
    return None if is_missing(vector) or not isinstance(text, str) or not text else Sampled(hit["_id"], text, vector)


async def _embedded(ml: Client, model_id: str, texts: Sequence[str], sparse: bool, side: Side | None) -> list[Any]:
    if sparse:
        return list(await ml.sparse(model_id, texts))
    return list(await ml.embed_many(model_id, texts, content_type=side))


def _cosine(one: Any, other: Any) -> float:
    first, second = _numbers(one), _numbers(other)
    if isinstance(first, Mapping) or isinstance(second, Mapping):
        return _cosine_of_weights(first, second)
    if first.shape != second.shape:
        return 0.0
    lengths = float(np.linalg.norm(first) * np.linalg.norm(second))
    return float(first @ second) / lengths if lengths else float(np.array_equal(first, second))


def _cosine_of_weights(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    product = sum(weight * other.get(token, 0.0) for token, weight in one.items())
    squares = [sum(weight * weight for weight in weights.values()) for weights in (one, other)]
    lengths = float(squares[0] * squares[1]) ** 0.5
    return product / lengths if lengths else float(one == other)


def _numbers(vector: Any) -> Any:
    if isinstance(vector, str):  # as the index sink writes it
        return np.frombuffer(base64.b64decode(vector), "<f4").astype(np.float64)
    return vector if isinstance(vector, Mapping) else np.asarray(vector, np.float64)


# ---- neighbours ------------------------------------------------------------------------------------------------------


def _counts_of_hits(wanted: Wanted) -> dict[str, set[int]]:
    """Return of how many hits overlap and self are measured."""
    found = {"overlap": {NEIGHBOURS}, "self": {1}}
    for one in wanted.require:
        if (name := one.metric.partition("@")[0]) in found and one.k is not None:
            found[name].add(one.k)
    return found


async def _neighbours(
    ml: Client, task: Task, sample: Sequence[Sampled], made: Sequence[Any], counts: Mapping[str, set[int]]
) -> dict[str, float]:
    """Return whether documents are found by their own texts, and which neighbours they share in both indices."""
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
        found = _numbers(vector)
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


# ---- the user's queries ----------------------------------------------------------------------------------------------


async def _evaluated(ml: Client, wanted: Wanted, task: Task) -> Evaluation | None:
    if wanted.queries is None:
        return None
    systems = {"new": Searched(task.target, model=task.model, field=task.field, hybrid=False)}
    if task.old_field is not None and task.old_model is not None:
        systems = {"old": Searched(task.source, model=task.old_model, field=task.old_field, hybrid=False), **systems}
    ks = sorted({NEIGHBOURS, *(one.k for one in wanted.evaluated if one.k is not None)})
    return await evaluate(ml, wanted.queries, wanted.judgments, systems, k=ks)
