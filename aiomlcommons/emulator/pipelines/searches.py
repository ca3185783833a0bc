"""Search pipelines: what is done to a search before it runs, to the scores of hybrid queries, and to the hits."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

import attrs

from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.emulator.errors import Refused, illegal, refused
from aiomlcommons.emulator.pipelines.options import Options, bad_config, uncastable
from aiomlcommons.emulator.querying.errors import not_emulated

# The processor that is not one of neural-search.
OF_MODELS = "ml_inference"
KINDS = ("request_processors", "phase_results_processors", "response_processors")
# The server has these, too.
OTHERS = {
    *("filter_query", "oversample", "script", "agentic_query_translator", "mmr_over_sample"),
    *("collapse", "rename_field", "sort", "split", "truncate_hits", "retrieval_augmented_generation"),
    *("personalize_search_ranking", "hybrid_score_explanation", "agentic_context", "mmr_rerank"),
}
UNKNOWN = "Invalid processor type {kind}"
NO_CONFIG = 'Cannot invoke "java.util.Map.remove(Object)" because "configuration" is null'
NO_PIPELINE = "Pipeline {id} is not defined"
Body = dict[str, Any]
Ranked = Sequence[tuple[Any, float]]
"""The best hits of one query of a hybrid one with their scores, best first."""

Before = Callable[[Cluster, Body], Awaitable[Body]]
"""Changes the body of a search."""
Between = Callable[[Sequence[Ranked]], Mapping[Any, float]]
"""Makes one score of those that a hit has by the queries of a hybrid one."""
After = Callable[[Cluster, Body, list[dict[str, Any]]], Awaitable[list[dict[str, Any]]]]
"""Changes the hits of a search, whose body it is given, too."""
Maker = Callable[[Options], Any]
M = TypeVar("M", bound=Maker)
MAKERS: dict[tuple[str, str], Maker] = {}
"""By where it stands and by its type, what makes the work of a processor of its configuration."""


@attrs.frozen
class Processor:
    """A processor: its type, its work, and whether the search goes on where it fails."""

    kind: str
    work: Any
    ignores_failure: bool = False


@attrs.frozen
class SearchPipeline:
    """The processors of a search."""

    before: Sequence[Processor] = ()
    between: Sequence[Processor] = ()
    after: Sequence[Processor] = ()

    async def asked(self, cluster: Cluster, body: Body) -> Body:
        """Return the body of a search as the request processors leave it. Raises Refused."""
        for processor in self.before:
            try:
                body = await processor.work(cluster, body)
            except Refused:
                if not processor.ignores_failure:
                    raise
        return body

    @property
    def combine(self) -> Between | None:
        """What makes one score of those of a hybrid query."""
        combine: Between | None = self.between[0].work if self.between else None
        return combine

    @property
    def reranks(self) -> bool:
        """Whether hits get other scores."""
        return any(processor.kind == "rerank" for processor in self.after)

    async def answered(self, cluster: Cluster, body: Body, hits: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the hits of a search as the response processors leave them. Raises Refused."""
        for processor in self.after:
            try:
                hits = await processor.work(cluster, body, hits)
            except Refused:
                if not processor.ignores_failure:
                    raise
        return hits


NO_PROCESSORS = SearchPipeline()


def makes(place: str, kind: str) -> Callable[[M], M]:
    """Register what makes the work of a type of processors that stand before, between or after."""

    def register(maker: M) -> M:
        MAKERS[place, kind] = maker
        return maker

    return register


def parsed(cluster: Cluster, pipeline_id: str, body: Mapping[str, Any]) -> SearchPipeline:
    """Return a pipeline by its configuration. Raises Refused."""
    options = Options(None, dict(body))
    options.maybe_text("description")
    options.whole("version", 0)
    places = zip(("before", "between", "after"), KINDS, strict=True)
    processors = [_processors(cluster, place, options.list(kind)) for place, kind in places]
    if options.rest:
        words = "doesn't support one or more provided configuration parameters"
        raise bad_config(f"pipeline [{pipeline_id}] {words} [{', '.join(options.rest)}]")
    return SearchPipeline(*processors)


def _processors(cluster: Cluster, place: str, given: Sequence[Any]) -> list[Processor]:
    """Return processors, each of which has its type as its key; the server takes several of one object, or none."""
    for one in given:
        if not isinstance(one, Mapping):
            raise uncastable(one, "java.util.Map")
    return [_processor(cluster, place, kind, config) for one in given for kind, config in one.items()]


def _processor(cluster: Cluster, place: str, kind: str, config: Any) -> Processor:
    if kind in OTHERS:
        raise not_emulated(f"search processor [{kind}]")
    if (place, kind) not in MAKERS or (kind != OF_MODELS and not cluster.has("neural-search")):
        raise illegal(UNKNOWN.format(kind=kind))
    if config is None:
        raise refused(500, "null_pointer_exception", NO_CONFIG)
    if not isinstance(config, Mapping):
        raise uncastable(config, "java.util.Map")
    options = Options(kind, dict(config), of_search=True)
    # Of what all processors have, errors do not say in which it is.
    common = Options(None, options.rest)
    common.maybe_text("tag")
    common.maybe_text("description")
    ignores = common.flag("ignore_failure")
    work = MAKERS[place, kind](options)
    options.finish()
    return Processor(kind, work, ignores)


def found(cluster: Cluster, wanted: str | Mapping[str, Any] | None, default: str) -> SearchPipeline:
    """Return the pipeline of a search: the one that it names or brings along, else the default of its index."""
    if isinstance(wanted, Mapping):
        return parsed(cluster, "_ad_hoc_pipeline", wanted)
    name = wanted or default
    if name == "_none":
        return NO_PROCESSORS
    if name not in cluster.search_pipelines:
        raise illegal(NO_PIPELINE.format(id=name))
    return parsed(cluster, name, cluster.search_pipelines[name])
