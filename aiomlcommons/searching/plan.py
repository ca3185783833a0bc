"""The search that fits an index and a text: which queries, of which fields, by which model, and why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs
import orjson

from aiomlcommons.api.documents import SearchDocuments
from aiomlcommons.display.shown import Shown
from aiomlcommons.queries import Query, hybrid
from aiomlcommons.searching.choice import Choice, choose
from aiomlcommons.searching.facts import Facts, facts_of
from aiomlcommons.searching.paging import body_of
from aiomlcommons.searching.request import search_request
from aiomlcommons.searching.vector_queries import by_vectors, by_words
from aiomlcommons.searching.wanted import Wanted

if TYPE_CHECKING:
    from aiomlcommons.client import Client

# The defaults of the server, in words.
COMBINED: Mapping[str, Any] = {
    "phase_results_processors": [
        {
            "normalization-processor": {
                "normalization": {"technique": "min_max"},
                "combination": {"technique": "arithmetic_mean"},
            }
        }
    ]
}
"""What combines the scores of a hybrid query where neither the caller nor the index names a search pipeline."""
# Numbers of a vector that are shown.
_SHOWN = 4


@attrs.frozen
class Plan(Shown):
    """What ``ml.search_text`` sends, and why: ``print(plan)`` shows it, ``plan.query`` is for ``ml.search``.

    Attributes:
        index: The index.
        kind: ``neural``, ``knn``, ``neural_sparse`` or ``rank_feature``; with ``hybrid`` before it, words as well.
        field: The field of vectors.
        text_field: The field of texts that is searched for words; None if none is.
        model_id: The model that embeds the text; None if the server's tokenizer finds its tokens.
        reasons: Why.
        request: The request.
    """

    index: str
    kind: str
    field: str
    text_field: str | None
    model_id: str | None
    reasons: tuple[str, ...]
    request: SearchDocuments = attrs.field(repr=False)

    @property
    def query(self) -> Query:
        """The query, which ``ml.search`` takes."""
        found: Query = body_of(self.request)["query"]
        return found

    @property
    def search_pipeline(self) -> str | Mapping[str, Any] | None:
        """What ``ml.search`` takes as ``search_pipeline``."""
        found: str | Mapping[str, Any] | None = self.request.search_pipeline or body_of(self.request).get(
            "search_pipeline"
        )
        return found

    @property
    def summary(self) -> str:
        """What is searched, and why, in a line for each reason."""
        reasons = "".join(f"\n- {reason}" for reason in self.reasons)
        return f"{self.kind} search of {self.index}:{reasons}"

    def __str__(self) -> str:
        named = f"?search_pipeline={self.request.search_pipeline}" if self.request.search_pipeline else ""
        body = orjson.dumps(_shortened(body_of(self.request)), option=orjson.OPT_INDENT_2).decode()
        return f"{self.summary}\n\nPOST /{self.index}/_search{named}\n{body}"


async def plan_of(ml: Client, wanted: Wanted) -> Plan:
    """Return the search that fits. Raises NotSearchable, with the remedy, before anything is searched."""
    return await plan_by(ml, await facts_of(ml, wanted.index), wanted)


async def plan_by(ml: Client, facts: Facts, wanted: Wanted) -> Plan:
    """Return the search that fits what is known of an index. Raises as ``plan_of`` does."""
    return await plan_as(ml, facts, await choose(ml, facts, wanted), wanted)


async def plan_as(ml: Client, facts: Facts, choice: Choice, wanted: Wanted) -> Plan:
    """Return the search of what was chosen before, for this text."""
    kind, query = await by_vectors(ml, facts, choice, wanted)
    pipeline, reasons = wanted.search_pipeline, list(choice.reasons)
    if choice.text_field is not None:
        kind, query = f"hybrid {kind}", hybrid(by_words(choice.text_field, wanted), query)
        if pipeline is None and facts.pipelines.combines:
            reasons.append(f"scores combined by {facts.pipelines.search_pipeline}, the search pipeline of the index")
        elif pipeline is None:
            pipeline = COMBINED
            own = facts.pipelines.search_pipeline
            why = "as there is no search pipeline"
            if own is not None:
                why = f"in place of {own}, the search pipeline of the index, which combines none"
            reasons.append(f"scores combined by min_max and arithmetic_mean, {why}")
    source = {"excludes": _not_shown(facts)} if wanted.source is None else wanted.source
    request = search_request(
        wanted.index, query, size=wanted.size, source=source, search_pipeline=pipeline, body=wanted.body
    )
    words_in = None if choice.text_field is None else choice.text_field.name
    return Plan(wanted.index, kind, choice.field.name, words_in, choice.model_id, tuple(reasons), request)


def _not_shown(facts: Facts) -> list[str]:
    """Return the fields that are left out of what comes back: vectors are long, and nobody reads them."""
    return sorted(field.vectors for field in facts.vectors.values())


def _shortened(value: Any) -> Any:
    """Return a body with the beginnings of its vectors."""
    if isinstance(value, Mapping):
        return {key: _shortened(part) for key, part in value.items()}
    if isinstance(value, list) and len(value) > _SHOWN and all(isinstance(part, float | int) for part in value):
        return [*value[:_SHOWN], f"... {len(value) - _SHOWN} more"]
    return [_shortened(part) for part in value] if isinstance(value, list | tuple) else value
