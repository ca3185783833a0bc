"""Reading an index for comparison: its documents with sequence numbers and versions, and no more than is needed."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from aiomlcommons.errors import MLCommonsError, ResponseTooLarge
from aiomlcommons.ingest.sources.point_in_time import PointInTime
from aiomlcommons.reembedding.errors import ReembeddingError
from aiomlcommons.wire.codec import quoted

if TYPE_CHECKING:
    from aiomlcommons.client import Client

PAGE = 5_000
"""Documents in a page without their fields."""
FETCHED = 500
"""Documents in a page with their fields, and ids in a query for them."""
# By these no document of one id is lost between two pages, if there are several, by their routing.
BY_ID = ("_id", "_seq_no")
BY_SEQ_NO = ("_seq_no",)


@attrs.frozen
class Found:
    """A document as it was found. ``fields`` are those of its ``_source`` that were asked for."""

    id: str
    seq_no: int
    primary_term: int
    version: int
    routing: str | None
    fingerprint: str | None
    fields: dict[str, Any]


@attrs.define
class Reader:
    """An index, or one of its shards, at a point in time. ``of`` is its field of fingerprints, if it has one.

    It reads primary shards: a replica may be behind, for seconds where segments are replicated, and then what was
    written before the last refresh would not be found.
    """

    ml: Client
    index: str
    of: str | None = None
    shard: int | None = None
    _pit: PointInTime = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        preference = "_primary" if self.shard is None else f"_shards:{self.shard}|_primary"
        self._pit = PointInTime(self.ml, quoted(self.index), preference=preference)

    async def close(self) -> None:
        """Close the point in time."""
        await self._pit.close()

    async def pages(
        self,
        sort: Sequence[str] = BY_ID,
        *,
        query: Mapping[str, Any] | None = None,
        source: Any = False,
        size: int = PAGE,
    ) -> AsyncGenerator[list[Found]]:
        """Yield the documents in an order, with what ``source`` selects of their fields. Raises ApiError."""
        body: dict[str, Any] = {"size": size, "sort": [{key: "asc"} for key in sort], "_source": source}
        if query is not None:
            body["query"] = query
        while True:
            try:
                hits = await self._hits(body)
            except ResponseTooLarge:
                if body["size"] == 1:
                    raise
                body["size"] //= 2
                continue
            if not hits:
                return
            yield list(map(self._found, hits))
            body["search_after"] = hits[-1]["sort"]

    async def fetch(self, ids: Sequence[str], source: Any = False) -> dict[str, Found]:
        """Return those of some documents that are there, by their ids."""
        parts = [ids[start : start + FETCHED] for start in range(0, len(ids), FETCHED)]
        found: dict[str, Found] = {}
        while parts:
            part = parts.pop()
            query = {"ids": {"values": part}}
            try:
                hits = await self._hits({"size": FETCHED, "sort": ["_doc"], "_source": source, "query": query})
            except ResponseTooLarge:
                if len(part) == 1:
                    raise
                parts += [part[::2], part[1::2]]
            else:
                found |= {hit["_id"]: self._found(hit) for hit in hits}
        return found

    async def _hits(self, body: Mapping[str, Any]) -> list[Any]:
        asked: dict[str, Any] = {"version": True, "seq_no_primary_term": True, "track_total_hits": False}
        if self.of is not None:
            asked["docvalue_fields"] = [self.of]
        page = await self._pit.search({**body, **asked})
        hits: list[Any] = page["hits"]["hits"]
        return hits

    def _found(self, hit: Mapping[str, Any]) -> Found:
        found = hit.get("fields", {}).get(self.of, (None,))[0]
        return Found(
            hit["_id"],
            hit["_seq_no"],
            hit["_primary_term"],
            hit["_version"],
            hit.get("_routing"),
            found,
            hit.get("_source", {}),
        )


async def joined(
    source: AsyncGenerator[list[Found]], target: AsyncGenerator[list[Found]]
) -> AsyncGenerator[tuple[Found | None, Found | None]]:
    """Yield the documents of two indices that are sorted by id in pairs: of the source, and of the target (merge join).

    The target is read first: what is in it then and later not in the source is gone there. Raises ReembeddingError for
    an id that an index has twice, by routing.
    """
    targets, sources = _one_by_one(target), _one_by_one(source)
    there, here = await anext(targets, None), await anext(sources, None)
    while here is not None or there is not None:
        if there is None or (here is not None and here.id < there.id):
            yield here, None
            here = await anext(sources, None)
        elif here is None or there.id < here.id:
            yield None, there
            there = await anext(targets, None)
        else:
            yield here, there
            here, there = await anext(sources, None), await anext(targets, None)


async def _one_by_one(pages: AsyncGenerator[list[Found]]) -> AsyncGenerator[Found]:
    last: Found | None = None
    async for page in pages:
        for one in page:
            # A text is sorted by code points here, and by its bytes of UTF-8 there, which is the same.
            if last is not None and one.id <= last.id:
                raise _out_of_order(last, one)
            last = one
            yield one


def _out_of_order(last: Found, one: Found) -> MLCommonsError:
    if one.id == last.id:
        return ReembeddingError(
            f"the id {one.id!r} has two documents, of the routings {last.routing!r} and {one.routing!r}, and a copy "
            "may have room for one only: give each document an id of its own"
        )
    return ReembeddingError(f"the documents are not sorted by their ids: {one.id!r} comes after {last.id!r}")
