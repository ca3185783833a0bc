"""The cluster itself: its version, and the plugins of its nodes."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Literal

from aiomlcommons.endpoint import Request, endpoint
from aiomlcommons.record import Record, in_query, record


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


@record
class Plugin(Record):
    """A plugin of a node, and its version: ``name`` is that of the node, ``component`` that of the plugin."""

    name: str
    component: str
    version: str


@endpoint("GET /_cat/plugins", since="1.0")
class ListPlugins(Request[list[Plugin]]):
    """List the plugins of every node, such as ``opensearch-knn``, with their versions.

    https://docs.opensearch.org/latest/api-reference/cat/cat-plugins/
    """

    _: KW_ONLY
    format: Literal["json"] = in_query(default="json")
