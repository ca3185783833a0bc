"""Every hit of a search, page after page: from the last hit on, or by counting."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from math import inf
from typing import Any, TypeVar

import attrs

from aiomlcommons.api.common import Hit, Hits
from aiomlcommons.api.documents import SearchDocuments
from aiomlcommons.errors import InvalidRequest
from aiomlcommons.searching.errors import NotSearchable

T = TypeVar("T")
PAGE = 100
"""Hits in a page where every hit is asked for, unless ``size`` says otherwise."""
# The most hits that can be counted, unless the index says otherwise (index.max_result_window).
WINDOW = 10_000
# Without what is unique as the last key, hits of equal scores at the end of a page would be lost.
_UNIQUE: tuple[Mapping[str, str], ...] = ({"_id": "asc"}, {"_index": "asc"})
_BY_SCORE: Mapping[str, str] = {"_score": "desc"}
_REORDER = {"search_pipeline", "rescore", "collapse"}

SendPage = Callable[[SearchDocuments], Awaitable[Hits[T]]]


async def every_hit(send: SendPage[T], request: SearchDocuments) -> AsyncIterator[Hit[T]]:
    """Yield every hit. Raises InvalidRequest for a ``size`` that is none, NotSearchable where hits would be lost."""
    size = body_of(request).get("size", PAGE)
    if not isinstance(size, int) or isinstance(size, bool) or size < 1:
        raise InvalidRequest(f"size must be a positive integer to iterate over every hit, not {size!r}")
    # Without shards that fail, hits would be missing without an error. Copies of a shard count documents that were
    # deleted, each its own, so that scores differ a little between them.
    request = _changed(request, allow_partial_search_results=False, preference=request.preference or uuid.uuid4().hex)
    pages = _counted if _reorders(request) else _after_the_last
    async for page in pages(send, request, size):
        for hit in page:
            yield hit


def body_of(request: SearchDocuments) -> Mapping[str, Any]:
    """Return the body of a search."""
    return request.body or {}


def is_hybrid(request: SearchDocuments) -> bool:
    """Return whether the query is a hybrid one."""
    return "hybrid" in (body_of(request).get("query") or {})


def _reorders(request: SearchDocuments) -> bool:
    """Return whether the last hit of a page need not be the one after which the next page begins."""
    named = request.search_pipeline not in {None, "_none"}
    return named or is_hybrid(request) or not _REORDER.isdisjoint(body_of(request))


async def _after_the_last(send: SendPage[T], request: SearchDocuments, size: int) -> AsyncIterator[Hits[T]]:
    by_score = "sort" not in body_of(request)
    sort = [_BY_SCORE] if by_score else _list(body_of(request)["sort"])
    body = {**body_of(request), "size": size, "sort": [*sort, *_UNIQUE]}
    if by_score:
        body["track_scores"] = True
    seen = int(body.get("from", 0))
    before: set[tuple[Any, ...]] = set()
    while True:
        page = await send(_changed(request, body=body))
        keys = [tuple(hit.sort or ()) for hit in page]
        # The server gives what comes after the last hit. If that has come, another hit was put last.
        if not before.isdisjoint(keys):
            raise NotSearchable(
                "the hits do not come in their order, as if a search pipeline of the index changed it: name it in "
                "search_pipeline=, so that pages are counted"
            )
        yield page
        seen += len(page)
        if not page or (len(page) < size and seen >= _all_hits(page)):
            return
        # Hits are skipped on the first page only; the server rejects ``from`` together with ``search_after``.
        body = {key: value for key, value in body.items() if key != "from"}
        body["search_after"] = list(keys[-1])
        before = set(keys)


async def _counted(send: SendPage[T], request: SearchDocuments, size: int) -> AsyncIterator[Hits[T]]:
    body, start = dict(body_of(request)), int(body_of(request).get("from", 0))
    # Only the total tells the last page, as a search pipeline may drop every hit of one.
    body["track_total_hits"] = WINDOW + 1
    if is_hybrid(request):
        # The same for each page, or their order would differ; the server has none for those after the first.
        body["query"] = {"hybrid": {"pagination_depth": WINDOW, **body["query"]["hybrid"]}}
    while True:
        count = min(size, max(WINDOW - start, 1))
        page = await send(_changed(request, body={**body, "from": start, "size": count}))
        yield page
        start += count
        # The total of a collapsed search counts what was left out, too; after its end a hybrid query has no page.
        collapsed = "collapse" in body and len(page) < (count if is_hybrid(request) else 1)
        if start >= _all_hits(page) or collapsed:
            return
        if start >= WINDOW:
            raise NotSearchable(
                f"pages of this search are counted, which the server does for {WINDOW:,} hits, and there are more: "
                "narrow it down, or leave the search pipeline out"
            )


def _all_hits(page: Hits[Any]) -> float:
    """Return how many hits there are in all; infinite if the server stopped counting."""
    total = page.hits.total
    return inf if total is None or total.relation != "eq" else total.value


def _changed(request: SearchDocuments, **fields: Any) -> SearchDocuments:
    return attrs.evolve(request, **fields)  # type: ignore[misc]


def _list(sort: Any) -> list[Any]:
    return list(sort) if isinstance(sort, list | tuple) else [sort]
