"""A search of an index: one page when awaited, every hit when iterated over."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Generator
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import attrs

from aiomlcommons.api.common import Hit, Hits
from aiomlcommons.api.documents import SearchDocuments
from aiomlcommons.errors import BadRequest
from aiomlcommons.searching.documents import Into, read_hits
from aiomlcommons.searching.errors import NotSearchable
from aiomlcommons.searching.paging import every_hit, is_hybrid
from aiomlcommons.searching.plugins import lacking
from aiomlcommons.usage import refuses

if TYPE_CHECKING:
    from aiomlcommons.client import Client

log = logging.getLogger("aiomlcommons")
T = TypeVar("T")
# A hybrid query whose scores nothing combines answers with rows between those of its queries, of scores like -9.5e9.
_DELIMITING = -4e9


@refuses("async with", "with", "for", write="`await` before it for one page, or `async for hit in` for every hit")
@attrs.frozen(eq=False)  # its body is a dict, which is unhashable
class IndexSearch(Generic[T]):
    """A search to send: ``await`` it for one page, ``async for`` it for every hit, page after page.

    Hits come in the order of their scores, or of the body's ``sort``; the last hit of a page is where the next one
    begins (``search_after``), so there is no limit of 10,000 hits. Pages of a hybrid query, and of a search with a
    search pipeline, which may put hits in another order, are counted (``from``), up to 10,000 hits. Ids have to be
    unique in an index, which they are unless documents of one id have several routings.
    """

    _ml: Client
    _request: SearchDocuments
    _into: Into[T]

    def __await__(self) -> Generator[Any, Any, Hits[T]]:
        return self._page(self._request).__await__()

    async def __aiter__(self) -> AsyncIterator[Hit[T]]:
        async for hit in every_hit(self._page, self._request):
            yield hit

    async def _page(self, request: SearchDocuments) -> Hits[T]:
        """Send the request of a page. Raises NotSearchable with the remedy, WrongDocument, and as ``send`` does."""
        try:
            hits = await self._ml.send(request)
        except BadRequest as error:
            if words := lacking(error.reason):
                raise NotSearchable(words) from error
            raise
        if is_hybrid(request) and _is_uncombined(hits):
            raise NotSearchable(
                "nothing combines the scores of the hybrid query: name in search_pipeline= one with a "
                "normalization-processor or a score-ranker-processor, or give it as a dict"
            )
        if hits.shards.failed:
            log.warning(
                "%d of %d shards failed a search of %s: hits may be missing",
                hits.shards.failed,
                hits.shards.total,
                request.index,
            )
        return read_hits(hits, self._into)


def _is_uncombined(hits: Hits[Any]) -> bool:
    """Return whether hits have rows between those of the queries, which without a score are seen by their ids only."""
    if any(hit.score is not None and hit.score < _DELIMITING for hit in hits):
        return True
    sorted_ones = [(hit.index, hit.id) for hit in hits if hit.score is None]
    return len(set(sorted_ones)) < len(sorted_ones)
