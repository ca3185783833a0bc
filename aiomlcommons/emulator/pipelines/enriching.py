"""Processors of search requests: the default model of neural queries, and sparse queries in two phases."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.emulator.errors import illegal
from aiomlcommons.emulator.pipelines import pruning
from aiomlcommons.emulator.pipelines.options import Options
from aiomlcommons.emulator.pipelines.searches import Before, Body, makes

NO_DEFAULT = "model Id or neural info map either of them should be provided"
NO_MODEL = "model id must be provided in neural query or a default model id must be set in search request processor"
NEURAL = {"neural", "neural_sparse"}
INNER: Mapping[str, tuple[str, ...]] = {
    "bool": ("must", "filter", "must_not", "should"),
    "constant_score": ("filter",),
    "hybrid": ("queries", "filter"),
    "nested": ("query",),
}
"""By the name of a query, where it has others within."""
SMALLEST_WINDOW = 50
TOO_SMALL = "The two_phase_parameter.{name} must >= {least}. Received: {given}"
TOO_LARGE = (
    "The two-phase window size of neural_sparse_two_phase_processor should be [0,{most}], but get the value of {size}"
)
RESCORED = "two_phase"
"""The key of what the second phase needs, in the body of a search on its way to the indices."""


@makes("before", "neural_query_enricher")
def neural_query_enricher(options: Options) -> Before:
    """Give neural queries without a model that of their field, or the default."""
    default, by_field = options.maybe_text("default_model_id"), options.maybe_map("neural_field_default_id")
    if default is None and by_field is None:
        raise options.illegal(NO_DEFAULT)

    def enriched(name: str, field: str, given: Mapping[str, Any]) -> Mapping[str, Any]:
        if name not in NEURAL or "model_id" in given:
            return given
        model_id = (by_field or {}).get(field, default)
        if model_id is None:
            raise illegal(NO_MODEL)
        return {**given, "model_id": model_id}

    async def before(_: Cluster, body: Body) -> Body:
        return {**body, "query": _changed(body["query"], enriched)} if "query" in body else body

    return before


def _changed(query: Any, change: Callable[[str, str, Mapping[str, Any]], Mapping[str, Any]]) -> Any:
    """Return a query with those of fields within it changed; what is no query is left to those who refuse it."""
    if isinstance(query, list):
        return [_changed(one, change) for one in query]
    if not isinstance(query, Mapping) or len(query) != 1:
        return query
    ((name, wanted),) = query.items()
    if not isinstance(wanted, Mapping):
        return query
    if name in NEURAL:
        fields = wanted.items()
        return {name: {field: change(name, field, one) if isinstance(one, Mapping) else one for field, one in fields}}
    parts = [part for part in INNER.get(name, ()) if part in wanted]
    return {name: {**wanted, **{part: _changed(wanted[part], change) for part in parts}}}


@makes("before", "neural_sparse_two_phase_processor")
def two_phase(options: Options) -> Before:
    """Search by the tokens that weigh most, and score the best hits by the others as well."""
    enabled, given = options.flag("enabled", default=True), options.maybe_map("two_phase_parameter") or {}
    kind, ratio = str(given.get("prune_type", "max_ratio")), float(given.get("prune_ratio", 0.4))
    rate, most = float(given.get("expansion_rate", 5.0)), int(given.get("max_window_size", 10_000))
    if rate < 1:
        raise options.illegal(TOO_SMALL.format(name="expansion_rate", least="1.0", given=f"{rate:.6f}"))
    if most < SMALLEST_WINDOW:
        raise options.illegal(TOO_SMALL.format(name="max_window_size", least=SMALLEST_WINDOW, given=f"\n{most}"))
    pruning.check(options, kind, ratio)

    async def before(_: Cluster, body: Body) -> Body:
        # Sorting and a second phase exclude each other.
        if not enabled or not ratio or body.get("sort") or "query" not in body:
            return body
        size = int(int(body.get("size", 10)) * rate)
        if size > most:
            raise illegal(TOO_LARGE.format(most=most, size=size))
        return {**body, RESCORED: {"prune_type": kind, "prune_ratio": ratio, "window_size": size}}

    return before


def in_two_phases(body: Mapping[str, Any]) -> dict[str, Any]:
    """Return a body whose sparse queries have their tokens so that they are searched in two phases, if that is wanted.

    Only such queries are, that stand alone or under ``should`` of a ``bool``.
    """
    given = {name: value for name, value in body.items() if name != RESCORED}
    if (wanted := body.get(RESCORED)) is None:
        return given
    second = list(_second(given.get("query"), wanted))
    if not second:
        return given
    rescore = {"window_size": wanted["window_size"], "query": {"rescore_query": {"bool": {"should": second}}}}
    return {**given, "query": _first(given["query"], wanted), "rescore": rescore}


def _first(query: Any, wanted: Mapping[str, Any]) -> Any:
    return _split(query, wanted, 0)


def _split(query: Any, wanted: Mapping[str, Any], phase: int) -> Any:
    ((name, inner),) = query.items()
    if name == "bool" and "should" in inner:
        should = inner["should"] if isinstance(inner["should"], list) else [inner["should"]]
        return {name: {**inner, "should": [_split(one, wanted, phase) for one in should]}}
    if name != "neural_sparse":
        return query
    ((field, options),) = inner.items()
    parts = pruning.split(wanted["prune_type"], wanted["prune_ratio"], options["query_tokens"])
    return {name: {field: {**options, "query_tokens": parts[phase]}}}


def _second(query: Any, wanted: Mapping[str, Any], boost: float = 1.0) -> Iterator[Any]:
    """Yield the sparse queries of the tokens that weigh little, with the boosts of those that they are in."""
    if not isinstance(query, Mapping) or len(query) != 1:
        return
    ((name, inner),) = query.items()
    if name == "bool" and "should" in inner:
        for one in inner["should"] if isinstance(inner["should"], list) else [inner["should"]]:
            yield from _second(one, wanted, boost * float(inner.get("boost", 1.0)))
    elif name == "neural_sparse":
        ((field, options),) = _split(query, wanted, 1)["neural_sparse"].items()
        if options["query_tokens"]:
            yield {name: {field: {**options, "boost": boost * float(options.get("boost", 1.0))}}}
