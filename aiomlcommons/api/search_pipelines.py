"""Search pipelines: what the server does to a search before it runs, between its phases, and to its response."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import KW_ONLY

from aiomlcommons.api.common import Acknowledged
from aiomlcommons.api.processors import misfits, newer_processors
from aiomlcommons.api.search_processors import PhaseResultsProcessor, SearchRequestProcessor, SearchResponseProcessor
from aiomlcommons.endpoint import Request, endpoint
from aiomlcommons.record import Record, in_query, record

# The server makes it by itself, where this setting lists it.
SYSTEM_GENERATED = "semantic-highlighter"
SYSTEM_SETTING = "cluster.search.enabled_system_generated_factories"


@record
class SearchPipeline(Record):
    """A search pipeline: processors of the request, of the results of the shards, and of the response."""

    request_processors: Sequence[SearchRequestProcessor] | None = None
    phase_results_processors: Sequence[PhaseResultsProcessor] | None = None
    response_processors: Sequence[SearchResponseProcessor] | None = None
    description: str | None = None
    version: int | None = None


@endpoint("PUT /_search/pipeline/{id}", since="2.9", needs_body=True)
class CreateSearchPipeline(Request[Acknowledged]):
    """Create or replace a search pipeline, for ``search_pipeline`` of a search or as an index's default.

    https://docs.opensearch.org/latest/search-plugins/search-pipelines/creating-search-pipeline/
    """

    id: str
    _: KW_ONLY
    request_processors: Sequence[SearchRequestProcessor] | None = None
    phase_results_processors: Sequence[PhaseResultsProcessor] | None = None
    response_processors: Sequence[SearchResponseProcessor] | None = None
    description: str | None = None
    version: int | None = None
    cluster_manager_timeout: str | None = in_query(default=None)
    timeout: str | None = in_query(default=None)

    def problems(self) -> Iterator[str]:
        yield from misfits("request_processors", self.request_processors, SearchRequestProcessor)
        yield from misfits("phase_results_processors", self.phase_results_processors, PhaseResultsProcessor)
        yield from misfits("response_processors", self.response_processors, SearchResponseProcessor)
        if any(isinstance(one, Mapping) and SYSTEM_GENERATED in one for one in self.response_processors or ()):
            yield (
                f"response_processors: {SYSTEM_GENERATED} is none of a pipeline: the server makes it for each search "
                f"that highlights by it, if the setting {SYSTEM_SETTING} lists it"
            )

    def newer_values(self) -> Iterator[tuple[str, str]]:
        yield from newer_processors(self.request_processors, self.phase_results_processors, self.response_processors)


@endpoint("GET /_search/pipeline/{id}", since="2.9", also=["GET /_search/pipeline"])
class GetSearchPipelines(Request[dict[str, SearchPipeline]]):
    """Get search pipelines by id: ``(await ml.pipelines.get_search("p"))["p"]``. ``id`` may have wildcards.

    https://docs.opensearch.org/latest/search-plugins/search-pipelines/retrieving-search-pipeline/
    """

    id: str | None = None
    _: KW_ONLY
    cluster_manager_timeout: str | None = in_query(default=None)


@endpoint("DELETE /_search/pipeline/{id}", since="2.9")
class DeleteSearchPipeline(Request[Acknowledged]):
    """Delete a search pipeline.

    https://docs.opensearch.org/latest/search-plugins/search-pipelines/deleting-search-pipeline/
    """

    id: str
    _: KW_ONLY
    cluster_manager_timeout: str | None = in_query(default=None)
    timeout: str | None = in_query(default=None)
