"""Documents of indices: write many at once, get one by its id, search."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY
from typing import Any, Literal

from aiomlcommons.api.common import Hits, Shards
from aiomlcommons.endpoint import Request, endpoint
from aiomlcommons.namespace import Namespace, op
from aiomlcommons.record import Record, as_body, in_query, record, renamed


@record
class BulkItem(Record):
    """What became of one document of a bulk request; ``error`` says why it was not written."""

    index: str = renamed("_index")
    status: int
    id: str | None = renamed("_id", default=None)
    version: int | None = renamed("_version", default=None)
    result: str | None = None
    shards: Shards | None = renamed("_shards", default=None)
    seq_no: int | None = renamed("_seq_no", default=None)
    primary_term: int | None = renamed("_primary_term", default=None)
    forced_refresh: bool | None = None
    error: Mapping[str, Any] | None = None


@record
class BulkResult(Record):
    """What became of each document, by the action that was asked for. Times are milliseconds.

    The status of a bulk request is 200 even where every document failed: see ``errors``, and ``failed``. A pipeline
    changes the order of the items: only their ids tell which is which.
    """

    took: int
    errors: bool
    items: Sequence[Mapping[str, BulkItem]]
    ingest_took: int | None = None

    @property
    def failed(self) -> list[BulkItem]:
        """The documents that were not written."""
        return [one for item in self.items for one in item.values() if one.error is not None]


@endpoint("POST /_bulk", since="1.0", also=["POST /{index}/_bulk"])
class Bulk(Request[BulkResult]):
    """Write documents: ``body`` is a line of JSON for each action, and one for its document. ``ml.ingest`` does it all.

    https://docs.opensearch.org/latest/api-reference/document-apis/bulk/
    """

    body: bytes = as_body()
    _: KW_ONLY
    index: str | None = None
    pipeline: str | None = in_query(default=None)
    refresh: bool | Literal["wait_for"] | None = in_query(default=None)
    routing: str | None = in_query(default=None)
    require_alias: bool | None = in_query(default=None)
    timeout: str | None = in_query(default=None)


@record
class Document(Record):
    """A document: ``source`` is the document itself, unless it was left out."""

    index: str = renamed("_index")
    id: str = renamed("_id")
    found: bool
    version: int | None = renamed("_version", default=None)
    seq_no: int | None = renamed("_seq_no", default=None)
    primary_term: int | None = renamed("_primary_term", default=None)
    routing: str | None = renamed("_routing", default=None)
    source: Mapping[str, Any] | None = renamed("_source", default=None)
    fields: Mapping[str, Any] | None = None


@endpoint("GET /{index}/_doc/{id}", since="1.0")
class GetDocument(Request[Document]):
    """Get a document by its id. ``source`` are the fields to get, with commas between them, or ``false``.

    https://docs.opensearch.org/latest/api-reference/document-apis/get-documents/
    """

    index: str
    id: str
    _: KW_ONLY
    source: str | None = in_query(wire="_source", default=None)
    realtime: bool | None = in_query(default=None)
    refresh: bool | None = in_query(default=None)
    routing: str | None = in_query(default=None)
    preference: str | None = in_query(default=None)


@endpoint("POST /{index}/_search", since="1.0", also=["POST /_search"], repeatable=True)
class SearchDocuments(Request[Hits[dict[str, Any]]]):
    """Search indices with a query DSL body: one page, as the server sends it. ``ml.search`` reads documents into a
    class, and iterates over every hit.

    https://docs.opensearch.org/latest/api-reference/search-apis/search/
    """

    index: str | None = None
    body: Mapping[str, Any] | None = as_body(default=None)
    _: KW_ONLY
    search_pipeline: str | None = in_query(default=None)
    routing: str | None = in_query(default=None)
    preference: str | None = in_query(default=None)
    ignore_unavailable: bool | None = in_query(default=None)
    allow_no_indices: bool | None = in_query(default=None)
    allow_partial_search_results: bool | None = in_query(default=None)
    request_cache: bool | None = in_query(default=None)
    search_type: str | None = in_query(default=None)


class Documents(Namespace):
    """``ml.documents``: write, get and search the documents of indices."""

    bulk = op(Bulk)
    get = op(GetDocument)
    search = op(SearchDocuments)
