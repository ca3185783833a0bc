"""Iterables as sources: lists, generators, async generators, and functions that return them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiomlcommons.errors import InvalidRequest
from aiomlcommons.ingest.sources import IterableSource, SourceError, iterables
from aiomlcommons.ingest.types import BadRow
from tests.support.sources import batches_of, check_positions, flat, read_one, rows_of

ROWS = [{"n": n} for n in range(600)]


async def slowly(count: int, pause_each: int = 1) -> AsyncGenerator[dict[str, int]]:
    for n in range(count):
        if n % pause_each == 0:
            await asyncio.sleep(0)
        yield {"n": n}


@settings(max_examples=60, deadline=None)
@given(count=st.integers(0, 40), size=st.integers(1, 9), pause=st.integers(1, 12))
def test_reading_on_from_any_position_gives_exactly_the_rest(count: int, size: int, pause: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(iterables, "ROWS_AT_ONCE", size)
        for rows in (ROWS[:count], lambda: iter(ROWS[:count]), lambda: slowly(count, pause)):
            assert asyncio.run(check_positions(lambda rows=rows: IterableSource(rows))) == ROWS[:count]  # type: ignore[misc]


@pytest.mark.asyncio
async def test_a_text_is_a_row_and_what_is_neither_is_a_bad_row() -> None:
    rows = await rows_of(IterableSource(["a", {"b": 1}, 3, BadRow("why", "where")], name="mine"))
    assert rows == [
        {"text": "a"},
        {"b": 1},
        BadRow("not a mapping but int", "mine, row 2", "3"),
        BadRow("why", "where"),
    ]


@pytest.mark.asyncio
@pytest.mark.parametrize("make", [lambda: iter(ROWS), lambda: slowly(5)])
async def test_an_iterator_is_read_once_and_says_so_when_it_is_to_be_read_on(make: Any) -> None:
    with pytest.raises(SourceError, match="once only, so it cannot be read from row 2 on; give a function"):
        await rows_of(IterableSource(items := make()), None, 2)
    source = IterableSource(items)
    assert (await rows_of(source))[:2] == ROWS[:2]
    with pytest.raises(SourceError, match="once only"):
        await rows_of(source)


@pytest.mark.asyncio
async def test_fewer_rows_than_before_are_refused() -> None:
    with pytest.raises(SourceError, match="rows has 3 rows, and was read to row 5 before"):
        await rows_of(IterableSource(ROWS[:3]), None, 5)
    assert await rows_of(IterableSource(ROWS[:3]), None, 3) == []


@pytest.mark.asyncio
async def test_a_row_of_a_live_stream_comes_as_soon_as_it_is_there() -> None:
    queue: asyncio.Queue[dict[str, int]] = asyncio.Queue()

    async def live() -> AsyncGenerator[dict[str, int]]:
        while True:
            yield await queue.get()

    async with aclosing(IterableSource(live()).read()) as stream:
        queue.put_nowait({"n": 0})
        assert (await anext(stream)).rows == [{"n": 0}]
        for n in range(1, 4):
            queue.put_nowait({"n": n})
        assert (await anext(stream)).rows == [{"n": 1}, {"n": 2}, {"n": 3}]


@pytest.mark.asyncio
async def test_rows_that_are_there_travel_together_and_no_more_are_taken_than_there_is_room_for() -> None:
    taken = 0

    async def ready() -> AsyncGenerator[dict[str, int]]:
        nonlocal taken
        for row in ROWS:
            taken += 1
            yield row

    async with aclosing(IterableSource(ready()).read()) as stream:
        assert len((await anext(stream)).rows) == 256
        for _ in range(10):
            await asyncio.sleep(0)
        assert taken == 512
    assert [len(rows.rows) for rows in await batches_of(IterableSource(ready))] == [256, 256, 88]


def failing(count: int) -> Generator[dict[str, int]]:
    yield from ROWS[:count]
    raise OSError("the database is gone")


async def failing_async(count: int) -> AsyncGenerator[dict[str, int]]:
    for row in ROWS[:count]:
        yield row
    raise OSError("the database is gone")


@pytest.mark.asyncio
@pytest.mark.parametrize("fails", [failing, failing_async])
@pytest.mark.parametrize("count", [0, 2, 256, 300])
async def test_an_error_of_the_iterable_comes_after_the_rows_before_it(fails: Any, count: int) -> None:
    seen = []
    with pytest.raises(OSError, match="the database is gone"):
        async for rows in IterableSource(fails(count)).read():
            seen.append(rows)
    assert flat(seen) == ROWS[:count]


@pytest.mark.asyncio
async def test_leaving_early_closes_the_generator() -> None:
    closed: list[str] = []

    async def stream() -> AsyncGenerator[dict[str, int]]:
        try:
            while True:
                await asyncio.sleep(0)
                yield {"n": 0}
        finally:
            closed.append("async")

    def rows() -> Generator[dict[str, int]]:
        try:
            while True:
                yield {"n": 0}
        finally:
            closed.append("plain")

    assert (await read_one(IterableSource(stream()))).rows[0] == {"n": 0}
    assert (await read_one(IterableSource(rows()))).rows[0] == {"n": 0}
    assert closed == ["async", "plain"]


@pytest.mark.asyncio
async def test_waiting_for_a_row_can_be_cancelled() -> None:
    async def never() -> AsyncGenerator[dict[str, int]]:
        await asyncio.Event().wait()
        yield {}

    waiting = asyncio.create_task(read_one(IterableSource(never())))
    for _ in range(3):
        await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


@pytest.mark.asyncio
async def test_the_length_is_known_where_there_is_one() -> None:
    assert await IterableSource(ROWS).count() == 600
    assert await IterableSource(iter(ROWS)).count() is None


@pytest.mark.parametrize("rows", ["text", b"bytes", {"a": 1}, 7, None])
def test_what_is_no_iterable_of_rows_is_refused(rows: Any) -> None:
    with pytest.raises(InvalidRequest, match="rows must be an iterable of rows, not"):
        IterableSource(rows)
