"""Two indices side by side: each document as it is found in both."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import aclosing
from typing import Any, TypeAlias

from aiomlcommons.reembedding.reading import FETCHED, PAGE, Found, Reader
from aiomlcommons.reembedding.shards import refreshed

Pairs: TypeAlias = "AsyncGenerator[tuple[Found | None, Found | None]]"
"""A document as it was found where it comes from, and where it goes."""


async def beside(
    here: Reader,
    there: Reader,
    shards: Iterable[int],
    marks: Mapping[int, int] | None = None,
    *,
    source: Any = False,
    by_shard: Iterable[int | None] = (None,),
    wanted: Callable[[Found], bool] = lambda _: True,
) -> Pairs:
    """Yield each document of one index that was written after the marks, with what another has of it.

    Args:
        here: The index that is scanned.
        there: The other one.
        shards: The shards that are scanned.
        marks: Only what was written later.
        source: What is fetched of the documents that are scanned.
        by_shard: The shards of the other index, if it is to be known in which one a document is.
        wanted: Which documents are looked up in the other index; of others nothing is said.
    """
    size = FETCHED if source else PAGE
    async with aclosing(here.scan(shards, marks, source=source, size=size)) as pages:
        async for page in pages:
            known = await there.fetch([one.id for one in page if wanted(one)], shards=by_shard)
            for one in page:
                yield one, known.get(one.id)


async def gone(here: Reader, there: Reader, shards: Iterable[int]) -> Pairs:
    """Yield the documents of another index that an index does not have, or has no longer.

    The other one is looked at first: what comes into this one later, and then into the other, is not taken for gone.
    """
    # After a failover the new primary shard shows all that the old one did, which is in the other index since.
    await refreshed(here.ml, here.index)
    async with aclosing(there.scan(shards)) as pages:
        async for page in pages:
            known = await here.fetch([one.id for one in page])
            for one in page:
                if one.id not in known:
                    yield None, one


async def both(*several: Pairs) -> Pairs:
    """Yield some pairs after the others."""
    for pairs in several:
        async with aclosing(pairs):
            async for pair in pairs:
                yield pair
