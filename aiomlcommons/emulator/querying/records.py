"""Searches of the indices of ML Commons, whose documents are records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from aiomlcommons.api.common import Found as FoundHits
from aiomlcommons.api.common import Hit, Hits, Shards, Total
from aiomlcommons.emulator import legacy
from aiomlcommons.emulator.cluster import Document, Index
from aiomlcommons.emulator.errors import no_index
from aiomlcommons.emulator.querying.paging import Page, page
from aiomlcommons.emulator.querying.scope import Row, Scope
from aiomlcommons.emulator.querying.sorting import Found
from aiomlcommons.emulator.querying.sources import shown
from aiomlcommons.wire import convert

T = TypeVar("T")
NEVER_SHOWN = ("model_content", "content", "ui_metadata")


def search(index: Index[T], body: Mapping[str, Any], node_id: str) -> Hits[T]:
    """Return the documents that match a search body, as a page of hits.

    Raises Refused for an unknown query and for a page beyond 10,000 hits.
    """
    if index.is_old and not index.existed:
        raise no_index(index.name)
    rows = [Row(document, _source(index, document), index.name) for document in index.seen().values()]
    query = body.get("query") or None
    found = page(Scope(index.name, index.uuid, node_id, rows, {**body, "query": query}))
    return Hits(
        took=1,
        timed_out=False,
        shards=Shards(total=int(index.existed), successful=int(index.existed), skipped=0, failed=0),
        hits=FoundHits(
            total=Total(value=found.total, relation="eq"),
            max_score=_best(found) if index.existed else 0.0,
            hits=[_hit(index, one, found, body.get("_source")) for one in found.hits],
        ),
    )


def _best(found: Page) -> float | None:
    return found.best if found.is_scored else None


def _source(index: Index[Any], document: Document[Any]) -> dict[str, Any]:
    source = {key: value for key, value in convert.unstructure(document.source).items() if key not in NEVER_SHOWN}
    return legacy.record(source) if index.is_old else source


def _hit(index: Index[T], one: Found, found: Page, wanted: Any) -> Hit[T]:
    document = one.row.document
    source: Any = shown(one.row.source, wanted)
    return Hit(
        index=index.name,
        id=document.id,
        score=one.score if found.is_scored else None,
        source=source,
        version=document.version,
        seq_no=document.seq_no,
        primary_term=1,
        sort=[key.value(one) for key in found.keys] or None,
    )
