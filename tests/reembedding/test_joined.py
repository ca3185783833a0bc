"""The merge join of two indices that are sorted by id."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiomlcommons.reembedding.errors import ReembeddingError
from aiomlcommons.reembedding.reading import Found, joined

pytestmark = pytest.mark.asyncio
keys = st.sets(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=3), max_size=12)


def found(key: str, routing: str | None = None) -> Found:
    return Found(key, 0, 1, 1, routing, None, {})


async def pages(ids: list[str], size: int) -> AsyncGenerator[list[Found]]:
    for start in range(0, len(ids), size):
        yield [found(key) for key in ids[start : start + size]]


def by_bytes(ids: set[str]) -> list[str]:
    """Sort as the server does."""
    return sorted(ids, key=str.encode)


@settings(deadline=None)
@given(keys, keys, st.integers(1, 4), st.integers(1, 4))
async def test_each_id_comes_once_with_what_both_sides_have_of_it(
    source: set[str], target: set[str], some: int, others: int
) -> None:
    pairs = [pair async for pair in joined(pages(by_bytes(source), some), pages(by_bytes(target), others))]
    here, there = (
        ([one.id for one in side if one is not None] for side in zip(*pairs, strict=True)) if pairs else ([], [])
    )
    assert (here, there) == (by_bytes(source), by_bytes(target))
    assert len(pairs) == len(source | target)
    assert all(one is None or other is None or one.id == other.id for one, other in pairs)


async def test_an_id_with_two_documents_is_refused_with_their_routings() -> None:
    async def twice() -> AsyncGenerator[list[Found]]:
        yield [found("a", "x")]
        yield [found("a", "y")]

    with pytest.raises(ReembeddingError, match="'a' has two documents, of the routings 'x' and 'y'"):
        [pair async for pair in joined(twice(), pages([], 1))]


async def test_another_order_than_by_bytes_is_an_error_and_no_lost_document() -> None:
    with pytest.raises(ReembeddingError, match="'a' comes after 'b'"):
        [pair async for pair in joined(pages(["b", "a"], 2), pages([], 1))]


async def test_the_target_is_looked_at_first() -> None:
    """What came into the source between both looks, and then into the target, would else be deleted as gone."""
    looks: list[str] = []

    async def looked(name: str) -> AsyncGenerator[list[Found]]:
        looks.append(name)
        yield [found("a")]

    assert len([pair async for pair in joined(looked("source"), looked("target"))]) == 1
    assert looks == ["target", "source"]
