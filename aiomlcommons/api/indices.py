"""Indices: create, look at and change them; their mappings, settings and aliases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY
from typing import Any

from aiomlcommons.api.aliases import GetAliases, UpdateAliases
from aiomlcommons.api.common import Acknowledged, Shards
from aiomlcommons.api.index_records import Index, IndexMapping, IndexSettings
from aiomlcommons.endpoint import Request, endpoint
from aiomlcommons.namespace import Namespace, op
from aiomlcommons.record import Record, as_body, in_query, mixin, record, renamed


@record
class IndexCreated(Record):
    """The name of a new index, and whether its shards have started."""

    acknowledged: bool
    shards_acknowledged: bool
    index: str


@mixin
class Choice:
    """Which indices are meant where ``index`` is a comma-separated list or a pattern such as ``docs-*``."""

    ignore_unavailable: bool | None = in_query(default=None)
    allow_no_indices: bool | None = in_query(default=None)
    expand_wildcards: str | None = in_query(default=None)


@mixin
class Change(Choice):
    """How long the server waits, such as ``"30s"``: for its cluster manager, and for the nodes to apply a change."""

    cluster_manager_timeout: str | None = in_query(default=None)
    timeout: str | None = in_query(default=None)


@endpoint("PUT /{index}", since="1.0")
class CreateIndex(Request[IndexCreated]):
    """Create an index. ``ml.indices.create_for`` makes the mapping that fits a model.

    https://docs.opensearch.org/latest/api-reference/index-apis/create-index/
    """

    index: str
    _: KW_ONLY
    mappings: Mapping[str, Any] | None = None
    settings: Mapping[str, Any] | None = None
    aliases: Mapping[str, Any] | None = None
    wait_for_active_shards: str | None = in_query(default=None)
    cluster_manager_timeout: str | None = in_query(default=None)
    timeout: str | None = in_query(default=None)


@endpoint("DELETE /{index}", since="1.0")
class DeleteIndex(Change, Request[Acknowledged]):
    """Delete an index with its documents. An alias is refused.

    https://docs.opensearch.org/latest/api-reference/index-apis/delete-index/
    """

    index: str


@endpoint("GET /{index}", since="1.0")
class GetIndex(Choice, Request[dict[str, Index]]):
    """Get the aliases, mappings and settings of indices, by their names.

    https://docs.opensearch.org/latest/api-reference/index-apis/get-index/
    """

    index: str
    _: KW_ONLY
    flat_settings: bool | None = in_query(default=None)
    include_defaults: bool | None = in_query(default=None)


@endpoint("GET /{index}/_mapping", since="1.0", also=["GET /_mapping"])
class GetMapping(Choice, Request[dict[str, IndexMapping]]):
    """Get the mappings of indices, by their names.

    https://docs.opensearch.org/latest/mappings/
    """

    index: str | None = None


@endpoint("PUT /{index}/_mapping", since="1.0")
class PutMapping(Change, Request[Acknowledged]):
    """Add fields to the mapping: ``ml.indices.put_mapping("docs", {"properties": {...}})``. The type of one stays.

    https://docs.opensearch.org/latest/api-reference/index-apis/put-mapping/
    """

    index: str
    mappings: Mapping[str, Any] = as_body()


@endpoint("GET /{index}/_settings", since="1.0", also=["GET /_settings"])
class GetIndexSettings(Choice, Request[dict[str, IndexSettings]]):
    """Get the settings of indices, by their names; ``flat_settings`` makes each key one, with dots.

    https://docs.opensearch.org/latest/api-reference/index-apis/get-settings/
    """

    index: str | None = None
    _: KW_ONLY
    flat_settings: bool | None = in_query(default=None)
    include_defaults: bool | None = in_query(default=None)


@endpoint("PUT /{index}/_settings", since="1.0")
class PutIndexSettings(Change, Request[Acknowledged]):
    """Change settings: ``ml.indices.put_settings("docs", {"index.number_of_replicas": 0})``. A null resets one.

    https://docs.opensearch.org/latest/api-reference/index-apis/update-settings/
    """

    index: str
    settings: Mapping[str, Any] = as_body()
    _: KW_ONLY
    preserve_existing: bool | None = in_query(default=None)


@record
class Refreshed(Record):
    """The shards that were refreshed."""

    shards: Shards = renamed("_shards")


@endpoint("POST /{index}/_refresh", since="1.0", also=["POST /_refresh"], repeatable=True)
class RefreshIndex(Choice, Request[Refreshed]):
    """Make what was written visible to searches.

    https://docs.opensearch.org/latest/api-reference/index-apis/refresh/
    """

    index: str | None = None


@record
class Count(Record):
    """The number of documents, and the shards that were asked."""

    count: int
    shards: Shards = renamed("_shards")


@endpoint("POST /{index}/_count", since="1.0", also=["POST /_count"], repeatable=True)
class CountDocuments(Choice, Request[Count]):
    """Count the documents, or those that match a query.

    https://docs.opensearch.org/latest/api-reference/search-apis/count/
    """

    index: str | None = None
    _: KW_ONLY
    query: Mapping[str, Any] | None = None
    routing: str | None = in_query(default=None)


class Indices(Namespace):
    """``ml.indices``: create, look at and change indices; their mappings, settings and aliases."""

    create = op(CreateIndex)
    delete = op(DeleteIndex)
    get = op(GetIndex)
    mapping = op(GetMapping)
    put_mapping = op(PutMapping)
    settings = op(GetIndexSettings)
    put_settings = op(PutIndexSettings)
    aliases = op(GetAliases)
    update_aliases = op(UpdateAliases)
    refresh = op(RefreshIndex)
    count = op(CountDocuments)
