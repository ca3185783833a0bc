"""Reading an index for comparison: its documents with sequence numbers and versions, and no more than is needed.

Each shard is read in the order of its sequence numbers, which are indexed: a page costs the same wherever it begins,
and nothing is loaded for it. In the order of ids, a page costs the more the larger the index is.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import attrs

from aiomlcommons.errors import ResponseTooLarge
from aiomlcommons.ingest.sources.point_in_time import PointInTime, page_of, past_pipelines
from aiomlcommons.reembedding.errors import ReembeddingError
from aiomlcommons.wire.codec import quoted

if TYPE_CHECKING:
    from aiomlcommons.client import Client

PAGE = 5_000
"""Documents in a page without their fields."""
FETCHED = 500
"""Documents in a page with their fields, and ids in a query for them."""
# Of an operation that was never: all documents have a higher sequence number.
BEGINNING = -1
ORDER = "_seq_no"


@attrs.frozen
class Found:
    """A document as it was found. ``fields`` are those of its ``_source`` that were asked for.

    ``shard`` is the number of its shard, if that was read alone: sequence numbers are those of a shard.
    """

    id: str
    seq_no: int
    primary_term: int
    version: int
    routing: str | None
    fingerprint: str | None
    fields: dict[str, Any]
    shard: int | None = None


@attrs.frozen
class Reader:
    """An index. ``of`` is its field of fingerprints, if it has one.

    It reads primary shards: a replica may be behind, for seconds where segments are replicated, and then what was
    written before the last refresh would not be found.
    """

    ml: Client
    index: str
    of: str | None = None

    async def scan(
        self,
        shards: Iterable[int],
        marks: Mapping[int, int] | None = None,
        *,
        query: Mapping[str, Any] | None = None,
        source: Any = False,
        size: int = PAGE,
    ) -> AsyncGenerator[list[Found]]:
        """Yield the documents of some shards that were written after the marks, with what ``source`` selects of them.

        Each shard is read as it is when its first page is read; one without a mark from the beginning. Raises ApiError.
        """
        for shard in shards:
            mark = BEGINNING if marks is None else marks.get(shard, BEGINNING)
            after = {"range": {ORDER: {"gt": mark}}}
            chosen = after if query is None else {"bool": {"filter": [after, query]}}
            pit = PointInTime(self.ml, quoted(self.index), preference=_preference(shard))
            try:
                body = {"size": size, "sort": [{ORDER: "asc"}], "_source": source, "query": chosen}
                async with aclosing(self._pages(pit, shard, body)) as pages:
                    async for page in pages:
                        yield page
            finally:
                await pit.close()

    async def fetch(
        self, ids: Sequence[str], source: Any = False, *, shards: Iterable[int | None] = (None,)
    ) -> dict[str, Found]:
        """Return those of some documents that are there, by their ids, as the last refresh shows them.

        With ``shards`` each of these is asked, so that it is known which one has a document. Raises ReembeddingError
        for an id that has two documents, by routing; ApiError.
        """
        found: dict[str, Found] = {}
        for shard in shards if ids else ():
            for one in await self._looked_up(shard, ids, source):
                if one.id in found:
                    raise _twice(self.index, found[one.id], one)
                found[one.id] = one
        return found

    async def _pages(self, pit: PointInTime, shard: int | None, body: dict[str, Any]) -> AsyncGenerator[list[Found]]:
        while True:
            try:
                hits = (await pit.search(self._asking(body)))["hits"]["hits"]
            except ResponseTooLarge:
                if body["size"] == 1:
                    raise
                body["size"] //= 2
                continue
            if not hits:
                return
            yield [self._found(hit, shard) for hit in hits]
            body["search_after"] = hits[-1]["sort"]

    async def _looked_up(self, shard: int | None, ids: Sequence[str], source: Any) -> list[Found]:
        parts = [ids[start : start + FETCHED] for start in range(0, len(ids), FETCHED)]
        found: list[Found] = []
        while parts:
            part = parts.pop()
            query = {"ids": {"values": part}}
            # An id may have a document in each shard.
            body = {"size": 2 * len(part), "sort": ["_doc"], "_source": source, "query": query}
            try:
                found += [self._found(hit, shard) for hit in await self._search(shard, body)]
            except ResponseTooLarge:
                if len(part) == 1:
                    raise
                parts += [part[::2], part[1::2]]
        return found

    async def _search(self, shard: int | None, body: Mapping[str, Any]) -> list[Any]:
        query = {"preference": _preference(shard), "allow_partial_search_results": "false"}
        query |= await past_pipelines(self.ml)
        path = f"/{quoted(self.index)}/_search"
        hits: list[Any] = page_of(await self.ml.request("GET", path, query=query, body=self._asking(body)))["hits"][
            "hits"
        ]
        return hits

    def _asking(self, body: Mapping[str, Any]) -> dict[str, Any]:
        asked: dict[str, Any] = {"version": True, "seq_no_primary_term": True, "track_total_hits": False}
        if self.of is not None:
            asked["docvalue_fields"] = [self.of]
        return {**body, **asked}

    def _found(self, hit: Mapping[str, Any], shard: int | None) -> Found:
        return Found(
            hit["_id"],
            hit["_seq_no"],
            hit["_primary_term"],
            hit["_version"],
            hit.get("_routing"),
            hit.get("fields", {}).get(self.of, (None,))[0],
            hit.get("_source", {}),
            shard,
        )


def _preference(shard: int | None) -> str:
    return "_primary" if shard is None else f"_shards:{shard}|_primary"


def _twice(index: str, one: Found, other: Found) -> ReembeddingError:
    return ReembeddingError(
        f"index {index}: the id {one.id!r} has two documents, of the routings {one.routing!r} and {other.routing!r}, "
        "and a copy may have room for one only: give each document an id of its own"
    )
