"""How good the new index is, before the switch: vectors recomputed, neighbours compared, and the user's own queries."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from aiomlcommons.evaluating.evaluate import evaluate
from aiomlcommons.evaluating.evaluation import Evaluation
from aiomlcommons.evaluating.requirements import Requirement, unmet
from aiomlcommons.evaluating.systems import Searched
from aiomlcommons.inference.fields import value_of
from aiomlcommons.inference.words import is_missing
from aiomlcommons.reembedding.asking import hits_of
from aiomlcommons.reembedding.neighbours import NEIGHBOURS, neighbours
from aiomlcommons.reembedding.task import Task
from aiomlcommons.reembedding.vectors import Sampled, cosine
from aiomlcommons.reembedding.wanted import Wanted

if TYPE_CHECKING:
    from aiomlcommons.client import Client
    from aiomlcommons.inference.methods import Side

SAMPLE = 50
"""Documents whose vectors are made anew."""
COSINE = 0.999
"""The least cosine of a vector of the index with one that the model makes anew; servers need not add up alike."""
# How many places of the index the sample is taken from.
_PLACES = 10


@attrs.frozen(kw_only=True)
class Judged:
    """What was measured. ``figures`` are those of ``old`` and ``new`` by metric; ``sampled`` counts documents."""

    figures: Mapping[str, Mapping[str, float]]
    sampled: int
    unmet: tuple[str, ...]
    evaluation: Evaluation | None = None


async def judged(ml: Client, wanted: Wanted, task: Task, *, seed: str) -> Judged:
    """Measure the new index by a sample and by the user's queries. Raises ApiError, and as ``ml.evaluate`` does."""
    sample = await _sample(ml, task, seed)
    figures: dict[str, dict[str, float]] = {"new": {}, "old": {}}
    if sample:
        made = await _embedded(ml, task.model, [one.text for one in sample], task.sparse, wanted.pace.content_type)
        figures["new"]["cosine"] = min(cosine(one.vector, new) for one, new in zip(sample, made, strict=True))
        figures["new"] |= await neighbours(ml, task, sample, made, wanted.require)
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


# ---- the user's queries ----------------------------------------------------------------------------------------------


async def _evaluated(ml: Client, wanted: Wanted, task: Task) -> Evaluation | None:
    if wanted.queries is None:
        return None
    systems = {"new": Searched(task.target, model=task.model, field=task.field, hybrid=False)}
    if task.old_field is not None and task.old_model is not None:
        systems = {"old": Searched(task.source, model=task.old_model, field=task.old_field, hybrid=False), **systems}
    ks = sorted({NEIGHBOURS, *(one.k for one in wanted.evaluated if one.k is not None)})
    return await evaluate(ml, wanted.queries, wanted.judgments, systems, k=ks)
