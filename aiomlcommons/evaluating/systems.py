"""What is evaluated: a search of an index, a function from a text to what it finds, or what was found before."""

from __future__ import annotations

import inspect
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from contextlib import aclosing
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import anyio.to_thread
import attrs

from aiomlcommons.api.common import Hit
from aiomlcommons.errors import InvalidRequest
from aiomlcommons.queries import checked_query
from aiomlcommons.record import kind_of
from aiomlcommons.searching.choice import choose
from aiomlcommons.searching.facts import facts_of
from aiomlcommons.searching.index_search import IndexSearch
from aiomlcommons.searching.plan import plan_as
from aiomlcommons.searching.request import check_count
from aiomlcommons.searching.wanted import Wanted
from aiomlcommons.spelling import did_you_mean
from aiomlcommons.typed import typed_but

if TYPE_CHECKING:
    from aiomlcommons.client import Client

Found: TypeAlias = Iterable[str | Hit[Any]]
"""Ids of documents, best first, or the hits of a search."""
Find: TypeAlias = Callable[[str, str], Awaitable[list[str]]]
"""From the id and the text of a query to the ids of what is found, best first and each once."""
_FORMS = "the name of an index, a Searched, a function from a text to ids, or a mapping from ids of queries to ids"


@attrs.frozen(field_transformer=typed_but("k filter"))
class Searched:
    """A search of an index to evaluate, as ``ml.search_text`` does it, which explains all options but one.

    Attributes:
        index: The index, or an alias.
        id: The field that has the ids that were judged, such as that of the document that a chunk is of; a document
            counts where its first chunk stands. Default: the ids of the index.
    """

    index: str
    model: str | None = None
    field: str | None = None
    text_field: str | None = None
    hybrid: bool | None = None
    k: int | None = None
    filter: Mapping[str, Any] | None = None
    search_pipeline: str | Mapping[str, Any] | None = None
    id: str | None = None

    def __attrs_post_init__(self) -> None:
        check_count("k", self.k, least=1)
        if self.filter is not None:
            checked_query("filter", self.filter)

    def wanted(self, text: str, size: int) -> Wanted:
        """Return the search for a text."""
        return Wanted(
            index=self.index,
            text=text,
            model=self.model,
            field=self.field,
            text_field=self.text_field,
            hybrid=self.hybrid,
            k=self.k,
            size=size,
            filter=self.filter,
            source=False if self.id is None else [self.id],
            search_pipeline=self.search_pipeline,
        )


System: TypeAlias = str | Searched | Callable[[str], Found | Awaitable[Found]] | Mapping[str, Iterable[str]]


async def finder(ml: Client, name: str, system: Any, size: int) -> Find:
    """Return what finds so many documents. Raises InvalidRequest, and as ``ml.search_text`` does."""
    if isinstance(system, str):
        system = Searched(system)
    if isinstance(system, Searched):
        return await _search(ml, system, size)
    if isinstance(system, Mapping):
        return _known(name, system, size)
    if callable(system):
        return _call(name, system, size)
    raise InvalidRequest(f"systems[{name!r}] must be {_FORMS}, not {kind_of(system)}")


async def _search(ml: Client, system: Searched, size: int) -> Find:
    facts = await facts_of(ml, system.index)
    # What does not depend on the text is found out once, not for each query.
    choice = await choose(ml, facts, system.wanted("", size))

    async def find(_: str, text: str) -> list[str]:
        request = (await plan_as(ml, facts, choice, system.wanted(text, size))).request
        search: IndexSearch[dict[str, Any]] = IndexSearch(ml, request, None)
        if system.id is None:
            return [hit.id for hit in await search]
        found: dict[str, None] = {}
        async with aclosing(cast(AsyncGenerator[Hit[Any]], aiter(search))) as hits:
            async for hit in hits:  # of several pages, where documents have many chunks
                found[_id_in(hit, system.id)] = None
                if len(found) == size:
                    break
        return list(found)

    return find


def _id_in(hit: Hit[dict[str, Any]], field: str) -> str:
    value: Any = hit.source if hit.has_source else {}
    for part in field.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    if value is None:
        raise InvalidRequest(f"the document {hit.id!r} of {hit.index} has no field {field!r}, which id= names")
    return str(value)


def _known(name: str, system: Mapping[str, Any], size: int) -> Find:
    async def find(key: str, _: str) -> list[str]:
        if key not in system:
            near = did_you_mean(key, system, "give an empty list where nothing was found")
            raise InvalidRequest(f"systems[{name!r}] has no query {key!r}; {near}")
        return _ids(name, system[key], size)

    return find


def _call(name: str, function: Callable[[str], Any], size: int) -> Find:
    is_async = any(map(inspect.iscoroutinefunction, (function, getattr(function, "__call__", None))))  # noqa: B004

    async def find(_: str, text: str) -> list[str]:
        found = function(text) if is_async else await anyio.to_thread.run_sync(function, text)
        return _ids(name, await found if inspect.isawaitable(found) else found, size)

    return find


def _ids(name: str, found: Any, size: int) -> list[str]:
    """Return the first ids, each once. Raises InvalidRequest for anything else."""
    if not isinstance(found, Iterable) or isinstance(found, str | bytes | Mapping):
        raise InvalidRequest(f"systems[{name!r}] must find a list of ids or of hits, not {kind_of(found)}")
    ids: dict[str, None] = {}
    for one in found:
        key = one.id if isinstance(one, Hit) else one
        if not isinstance(key, str):
            raise InvalidRequest(f"systems[{name!r}] must find ids, which are texts, or hits, not {kind_of(one)}")
        ids[key] = None
    return list(islice(ids, size))
