"""Ingest pipelines: what the server does to documents before it indexes them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import KW_ONLY
from typing import Any

from aiomlcommons.api import checks
from aiomlcommons.api.common import Acknowledged, Listed
from aiomlcommons.api.pipeline_stats import GetIngestStats
from aiomlcommons.api.processors import IngestProcessor, misfits, newer_processors
from aiomlcommons.api.search_pipelines import CreateSearchPipeline, DeleteSearchPipeline, GetSearchPipelines
from aiomlcommons.endpoint import Request, endpoint
from aiomlcommons.namespace import Namespace, op
from aiomlcommons.record import Record, in_query, record, renamed


@record
class IngestPipeline(Record):
    """An ingest pipeline: its processors run in order, those of ``on_failure`` when one of them fails."""

    processors: Sequence[IngestProcessor]
    description: str | None = None
    version: int | None = None
    on_failure: Sequence[Mapping[str, Any]] | None = None


@endpoint("PUT /_ingest/pipeline/{id}", since="1.0")
class CreatePipeline(Request[Acknowledged]):
    """Create or replace an ingest pipeline. The server takes any model id: each document fails where there is no model.

    https://docs.opensearch.org/latest/ingest-pipelines/create-ingest/
    """

    id: str
    _: KW_ONLY
    processors: Sequence[IngestProcessor]
    description: str | None = None
    version: int | None = None
    on_failure: Sequence[Mapping[str, Any]] | None = None
    cluster_manager_timeout: str | None = in_query(default=None)
    timeout: str | None = in_query(default=None)

    def problems(self) -> Iterator[str]:
        yield from misfits("processors", self.processors, IngestProcessor)

    def newer_values(self) -> Iterator[tuple[str, str]]:
        yield from newer_processors(self.processors)


@endpoint("GET /_ingest/pipeline/{id}", since="1.0", also=["GET /_ingest/pipeline"])
class GetPipelines(Request[dict[str, IngestPipeline]]):
    """Get ingest pipelines by id: ``(await ml.pipelines.get("p"))["p"]``. ``id`` may have wildcards, or be left out.

    https://docs.opensearch.org/latest/ingest-pipelines/get-ingest/
    """

    id: str | None = None
    _: KW_ONLY
    cluster_manager_timeout: str | None = in_query(default=None)


@endpoint("DELETE /_ingest/pipeline/{id}", since="1.0")
class DeletePipeline(Request[Acknowledged]):
    """Delete ingest pipelines; ``id`` may have wildcards.

    https://docs.opensearch.org/latest/ingest-pipelines/delete-ingest/
    """

    id: str
    _: KW_ONLY
    cluster_manager_timeout: str | None = in_query(default=None)
    timeout: str | None = in_query(default=None)


# ---- a trial -------------------------------------------------------------------------------------------------------


@record
class IngestDocument(Record):
    """A document on its way through a pipeline: ``source`` is the document itself."""

    source: Mapping[str, Any] = renamed("_source")
    index: str | None = renamed("_index", default=None)
    id: str | None = renamed("_id", default=None)
    routing: str | None = renamed("_routing", default=None)
    ingest: Mapping[str, Any] | None = renamed("_ingest", default=None)


@record
class ProcessorResult(Record):
    """What one processor made of a document: ``status`` is ``success``, ``error``, ``skipped``, ..."""

    processor_type: str | None = None
    status: str | None = None
    description: str | None = None
    tag: str | None = None
    if_: Mapping[str, Any] | None = renamed("if", default=None)
    doc: IngestDocument | None = None
    error: Mapping[str, Any] | None = None
    ignored_error: Mapping[str, Any] | None = None


@record
class SimulatedDocument(Record):
    """What a pipeline made of a document, or the ``error``; with ``verbose``, what each processor made of it."""

    doc: IngestDocument | None = None
    error: Mapping[str, Any] | None = None
    processor_results: Sequence[ProcessorResult] | None = None


@record
class Simulation(Record, Listed[SimulatedDocument | None]):
    """What a pipeline made of each document; None for one that it dropped. Iterate it, index it, take its ``len``."""

    docs: Sequence[SimulatedDocument | None]

    @property
    def _items(self) -> Sequence[SimulatedDocument | None]:
        return self.docs


@endpoint(
    "POST /_ingest/pipeline/_simulate", since="1.0", also=["POST /_ingest/pipeline/{id}/_simulate"], repeatable=True
)
class SimulatePipeline(Request[Simulation]):
    """Run documents through an ingest pipeline without indexing them. Models are asked in earnest.

    ``id`` names a pipeline; ``pipeline`` is one that is not stored: ``pipeline=IngestPipeline([...])``.

    https://docs.opensearch.org/latest/ingest-pipelines/simulate-ingest/
    """

    id: str | None = None
    _: KW_ONLY
    docs: Sequence[IngestDocument | Mapping[str, Any]]
    pipeline: IngestPipeline | None = None
    verbose: bool | None = in_query(default=None)

    def problems(self) -> Iterator[str]:
        if self.id is None and self.pipeline is None:
            yield "give the id of a pipeline, or pipeline"
        yield from checks.at_most_one(self, "id", "pipeline")
        yield from checks.not_empty(self, "docs")
        for number, one in enumerate(self.docs):
            if not isinstance(one, IngestDocument):
                yield f"docs[{number}] must have the document under '_source': {{'_source': {{...}}}}"
        if self.pipeline is not None:
            yield from misfits("pipeline.processors", self.pipeline.processors, IngestProcessor)

    def newer_values(self) -> Iterator[tuple[str, str]]:
        if self.pipeline is not None:
            yield from newer_processors(self.pipeline.processors)


class Pipelines(Namespace):
    """``ml.pipelines``: what the server does to documents before it indexes them, and to searches."""

    create = op(CreatePipeline)
    get = op(GetPipelines)
    delete = op(DeletePipeline)
    simulate = op(SimulatePipeline)
    stats = op(GetIngestStats)
    create_search = op(CreateSearchPipeline)
    get_search = op(GetSearchPipelines)
    delete_search = op(DeleteSearchPipeline)
