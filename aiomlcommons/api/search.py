"""Searches: one page when awaited, every hit (by cursor, with ``search_after``) when iterated."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Generator, Mapping
from typing import Any, Generic, TypeVar, overload

import attrs
import orjson

from aiomlcommons.api.common import Found, Hit, Hits, Shards
from aiomlcommons.endpoint import Request, Sends
from aiomlcommons.errors import DecodeError, InvalidRequest, NotFound
from aiomlcommons.http import HttpResponse
from aiomlcommons.namespace import HasSession, Operation, P
from aiomlcommons.record import kind_of
from aiomlcommons.usage import refuses
from aiomlcommons.wire import convert
from aiomlcommons.wire.codec import to_http

T = TypeVar("T")
PAGE = 100
# The last sort key must be unique, or a page boundary between documents with equal keys would lose some.
TIEBREAKER: Mapping[str, str] = {"_id": "asc"}


@refuses("async with", "with", "for", write="`await` before it for one page, or `async for hit in` for every hit")
@attrs.frozen(eq=False)  # its body is a dict, which is unhashable
class Search(Generic[T]):
    """A search to send: ``await`` it for one page, ``async for`` it for every hit, page after page.

    Iterating sorts by the body's ``sort`` and then by id, and continues after the last hit (``search_after``), so there
    is no limit of 10,000 hits. ``size`` (default 100) is that of a page, ``from`` the number of hits to skip. Raises
    InvalidRequest for a ``size`` that is not a positive integer, DecodeError for a page whose last hit has no sort key.
    """

    _session: Sends
    _request: Request[Hits[T]]

    def __await__(self) -> Generator[Any, Any, Hits[T]]:
        return self._page(self._request).__await__()

    async def __aiter__(self) -> AsyncIterator[Hit[T]]:
        body: Mapping[str, Any] = getattr(self._request, "body")  # noqa: B009 - not every request has one
        size = _size(body)
        body = {**body, "size": size, "sort": [*_sort(body), TIEBREAKER]}
        while True:
            page = await self._page(attrs.evolve(self._request, body=body))  # type: ignore[misc]
            for hit in page:
                yield hit
            if len(page) < size:
                return
            # Hits are skipped on the first page only; the server rejects ``from`` together with ``search_after``.
            body = {key: value for key, value in body.items() if key != "from"}
            body["search_after"] = self._last(page)

    def _last(self, page: Hits[T]) -> list[Any]:
        """Return the cursor of the next page: the sort keys of the last hit."""
        if last := page[-1].sort:
            return last
        got = HttpResponse(200, orjson.dumps(convert.unstructure(page)), request=to_http(self._request))
        raise DecodeError("the last hit of a page has no sort keys, so there is no cursor for the next page", got)

    async def _page(self, request: Request[Hits[T]]) -> Hits[T]:
        try:
            return await self._session.send(request)
        except NotFound as error:
            # Some servers create the index with the first document.
            if error.type != "index_not_found_exception":
                raise
            nothing = Found[T](max_score=None, hits=[])
            return Hits(took=0, timed_out=False, shards=Shards(total=0, successful=0, failed=0), hits=nothing)


def _size(body: Mapping[str, Any]) -> int:
    size = body.get("size", PAGE)
    if not isinstance(size, int) or isinstance(size, bool) or size < 1:
        raise InvalidRequest(f"size must be a positive integer to iterate over every hit, not {size!r}")
    return size


def _sort(body: Mapping[str, Any]) -> list[Any]:
    sort = body.get("sort", [])
    return sort if isinstance(sort, list) else [sort]


def without(field: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the search body with a filter that excludes documents which have a field."""
    query = {"must_not": [{"exists": {"field": field}}]}
    return {**body, "query": {"bool": query | ({"must": [body["query"]]} if "query" in body else {})}}


class searches(Operation[P], Generic[P, T]):  # noqa: N801 - search = searches(SearchModels)
    """A descriptor that makes a request class a search method; documents with the field ``leave_out`` are excluded."""

    request: Callable[P, Request[Hits[T]]]

    def __init__(self, request: Callable[P, Request[Hits[T]]], *, leave_out: str | None = None) -> None:
        super().__init__(request)
        self._leave_out = leave_out

    @overload
    def __get__(self, space: None, owner: type) -> searches[P, T]: ...
    @overload
    def __get__(self, space: HasSession, owner: type) -> Callable[P, Search[T]]: ...
    def __get__(self, space: HasSession | None, owner: type) -> Any:
        if space is None:
            return self
        session = space._session

        def call(*args: P.args, **kwargs: P.kwargs) -> Search[T]:
            request: Any = self.make(*args, **kwargs)
            if not isinstance(request.body, Mapping):
                raise InvalidRequest(
                    f"the body of a search must be a dict such as {{'query': {{'match_all': {{}}}}}}, "
                    f"not {kind_of(request.body)}"
                )
            if self._leave_out:
                request = attrs.evolve(request, body=without(self._leave_out, request.body))
            return Search(session, request)

        return self.dress(call)
