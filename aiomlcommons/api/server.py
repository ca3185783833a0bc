"""The cluster itself."""

from __future__ import annotations

from aiomlcommons.endpoint import Request, endpoint
from aiomlcommons.record import Record, record


@record
class Version(Record):
    """The version that a node runs; ``distribution`` is ``opensearch``."""

    number: str
    distribution: str | None = None
    build_type: str | None = None
    build_hash: str | None = None
    build_date: str | None = None
    build_snapshot: bool | None = None
    lucene_version: str | None = None
    minimum_wire_compatibility_version: str | None = None
    minimum_index_compatibility_version: str | None = None


@record
class Info(Record):
    """The node that responded, and its version."""

    name: str
    cluster_name: str
    cluster_uuid: str
    version: Version
    tagline: str


@endpoint("GET /", since="1.0")
class GetInfo(Request[Info]):
    """Get a node's name, cluster and version.

    https://docs.opensearch.org/latest/api-reference/info/
    """
