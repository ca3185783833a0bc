"""A search for a text: the query that fits the index is found first, and then sent."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Generator
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import attrs

from aiomlcommons.api.common import Hit, Hits
from aiomlcommons.endpoint import fields_of
from aiomlcommons.record import record
from aiomlcommons.searching.documents import Into
from aiomlcommons.searching.index_search import IndexSearch
from aiomlcommons.searching.plan import Plan, plan_of
from aiomlcommons.searching.wanted import Wanted
from aiomlcommons.usage import refuses

if TYPE_CHECKING:
    from aiomlcommons.client import Client

log = logging.getLogger("aiomlcommons")
T = TypeVar("T")


@record
class TextHits(Hits[T], Generic[T]):
    """The hits of a search for a text. ``sent`` is what was sent, and why: ``print(hits.sent)``."""

    sent: Plan | None = attrs.field(default=None, kw_only=True)


@refuses("async with", "with", "for", write="`await` before it for one page, or `async for hit in` for every hit")
@attrs.define(eq=False)
class TextSearch(Generic[T]):
    """A search for a text: ``await`` it for one page, ``async for`` it for every hit, ``await plan()`` for neither."""

    _ml: Client
    _wanted: Wanted
    _into: Into[T]
    _plan: Plan | None = None

    async def plan(self) -> Plan:
        """Return what would be sent, and why, without searching. Raises as ``ml.search_text`` does."""
        if self._plan is None:
            self._plan = await plan_of(self._ml, self._wanted)
            log.debug("%s", self._plan)
        return self._plan

    def __await__(self) -> Generator[Any, Any, TextHits[T]]:
        return self._page().__await__()

    async def __aiter__(self) -> AsyncIterator[Hit[T]]:
        async for hit in await self._search():
            yield hit

    async def _search(self) -> IndexSearch[T]:
        return IndexSearch(self._ml, (await self.plan()).request, self._into)

    async def _page(self) -> TextHits[T]:
        page = await (await self._search())
        return TextHits(**{field.name: getattr(page, field.name) for field in fields_of(Hits)}, sent=self._plan)
