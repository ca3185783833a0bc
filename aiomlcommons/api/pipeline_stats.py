"""How many documents the ingest pipelines of the nodes have taken, how long it took them, and how many failed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiomlcommons.api.common import Shards
from aiomlcommons.endpoint import Request, endpoint
from aiomlcommons.record import Record, record, renamed


@record
class IngestCounts(Record):
    """Documents since the node started: all, those at work, those that failed; times are milliseconds."""

    count: int
    time_in_millis: int
    current: int
    failed: int


@record
class ProcessorStats(Record):
    """Counts of a processor."""

    type: str
    stats: IngestCounts


@record
class PipelineStats(IngestCounts):
    """Counts of a pipeline, and of its processors in order, each by its type and tag."""

    processors: Sequence[Mapping[str, ProcessorStats]]


@record
class NodeIngestCounts(Record):
    """Counts of all pipelines of a node, and of each by id."""

    total: IngestCounts
    pipelines: Mapping[str, PipelineStats]


@record
class NodeIngestStats(Record):
    """What a node's pipelines did. ``timestamp`` is epoch milliseconds."""

    ingest: NodeIngestCounts
    name: str | None = None
    timestamp: int | None = None
    transport_address: str | None = None
    host: str | None = None
    ip: str | None = None
    roles: Sequence[str] | None = None
    attributes: Mapping[str, str] | None = None
    native_memory: Mapping[str, Any] | None = None


@record
class IngestStats(Record):
    """What the pipelines of each node did, by its id."""

    answered: Shards = renamed("_nodes")
    cluster_name: str
    nodes: Mapping[str, NodeIngestStats]


@endpoint("GET /_nodes/stats/ingest", since="1.0")
class GetIngestStats(Request[IngestStats]):
    """Get counts, times and failures of the ingest pipelines, by node, pipeline and processor.

    https://docs.opensearch.org/latest/api-reference/nodes-apis/nodes-stats/
    """
