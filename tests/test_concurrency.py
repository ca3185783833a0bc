"""Bounded fan-out: order, bounds, backpressure, errors and early exit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Iterable
from typing import TypeAlias

import anyio
import pytest
from anyio.lowlevel import checkpoint

from aiomlcommons.concurrency import batched, batches_of, fan_out
from aiomlcommons.slots import Slots

pytestmark = pytest.mark.asyncio
Numbers: TypeAlias = Callable[[int], AsyncGenerator[int] | Generator[int]]


async def awaited(count: int) -> AsyncGenerator[int]:
    for number in range(count):
        yield number


def ready(count: int) -> Generator[int]:
    yield from range(count)


@pytest.fixture(params=[awaited, ready])
def numbers(request: pytest.FixtureRequest) -> Numbers:
    """The two kinds of sources: all holds for both."""
    kind: Numbers = request.param
    return kind


async def double(number: int) -> int:
    await checkpoint()
    return number * 2


async def listed(items: AsyncIterator[int]) -> list[int]:
    return [item async for item in items]


@pytest.mark.parametrize(
    ("items", "size", "batches"),
    [
        ([], 2, []),
        ([1], 2, [[1]]),
        ([1, 2, 3, 4], 2, [[1, 2], [3, 4]]),
        ((1, 2, 3), 2, [[1, 2], [3]]),
        (range(3), 5, [[0, 1, 2]]),
        ((n for n in range(3)), 1, [[0], [1], [2]]),
    ],
)
async def test_batches_hold_every_item_in_order(items: Iterable[int], size: int, batches: list[list[int]]) -> None:
    assert list(batches_of(items, size)) == batches


@pytest.mark.parametrize("count", [0, 1, 4, 5])
async def test_an_async_source_is_batched_likewise(count: int) -> None:
    assert [batch async for batch in batched(awaited(count), 2)] == list(batches_of(range(count), 2))


@pytest.mark.parametrize("concurrency", [1, 2, 50])
async def test_results_keep_the_order_of_the_source(concurrency: int, numbers: Numbers) -> None:
    async def slower_at_first(number: int) -> int:
        for _ in range(20 - number):
            await checkpoint()
        return number

    async with fan_out(slower_at_first, numbers(20), concurrency=concurrency, ordered=True) as results:
        assert await listed(results) == list(range(20))


async def test_results_come_as_finished_when_order_is_free(numbers: Numbers) -> None:
    first_may_end = anyio.Event()

    async def first_waits(number: int) -> int:
        if number == 0:
            await first_may_end.wait()
        return number

    async with fan_out(first_waits, numbers(3), concurrency=2, ordered=False) as results:
        assert [await anext(results), await anext(results)] == [1, 2]
        first_may_end.set()
        assert await anext(results) == 0


@pytest.mark.parametrize("ordered", [True, False])
async def test_no_more_than_in_flight_are_read_before_results_are_taken(ordered: bool) -> None:
    read = 0

    async def counted() -> AsyncGenerator[int]:
        nonlocal read
        for number in range(100):
            read += 1
            yield number

    async with fan_out(double, counted(), concurrency=3, ordered=ordered) as results:
        await anyio.wait_all_tasks_blocked()
        assert read == 3
        await anext(results)
        await anyio.wait_all_tasks_blocked()
        assert read == 4


async def test_a_slow_first_item_does_not_let_the_others_run_away() -> None:
    read = 0

    async def counted() -> AsyncGenerator[int]:
        nonlocal read
        for number in range(100):
            read += 1
            yield number

    async def first_never_ends(number: int) -> int:
        if number == 0:
            await anyio.sleep_forever()
        return number

    async with fan_out(first_never_ends, counted(), concurrency=4, ordered=True) as results:
        with anyio.move_on_after(0) as nothing_yet:
            await anext(results)
        assert nothing_yet.cancelled_caught
        await anyio.wait_all_tasks_blocked()
        assert read == 4


async def test_an_error_comes_after_the_results_before_it_and_as_itself(numbers: Numbers) -> None:
    async def fails_at_three(number: int) -> int:
        if number == 3:
            raise ArithmeticError("three")
        return number

    seen = []
    with pytest.raises(ArithmeticError, match="three"):
        async with fan_out(fails_at_three, numbers(10), concurrency=4, ordered=True) as results:
            async for number in results:
                seen.append(number)
    assert seen == [0, 1, 2]


async def hangs_or_fails(number: int) -> int:
    """2 never ends; 4 fails once 1 and 3 have ended."""
    if number == 2:
        await anyio.sleep_forever()
    if number == 4:
        await anyio.wait_all_tasks_blocked()
        raise ArithmeticError("four")
    return number


async def test_an_urgent_error_comes_after_what_is_finished_and_waits_for_nothing_else(numbers: Numbers) -> None:
    seen = []
    with pytest.raises(ArithmeticError, match="four"):
        async with fan_out(
            hangs_or_fails, numbers(10), concurrency=8, ordered=True, urgent=(ArithmeticError,)
        ) as results:
            async for number in results:
                seen.append(number)
    assert seen == [0, 1]


async def test_an_error_that_is_not_urgent_waits_for_its_turn(numbers: Numbers) -> None:
    async with fan_out(hangs_or_fails, numbers(10), concurrency=8, ordered=True, urgent=(LookupError,)) as results:
        assert [await anext(results), await anext(results)] == [0, 1]
        await anyio.wait_all_tasks_blocked()
        with anyio.move_on_after(0) as nothing_yet:
            await anext(results)
        assert nothing_yet.cancelled_caught


async def test_an_error_of_the_source_comes_in_its_turn() -> None:
    async def breaks() -> AsyncGenerator[int]:
        yield 1
        raise OSError("the source broke")

    async with fan_out(double, breaks(), concurrency=4, ordered=True) as results:
        assert await anext(results) == 2
        with pytest.raises(OSError, match="the source broke"):
            await anext(results)


async def test_the_readers_own_error_comes_out_as_itself(numbers: Numbers) -> None:
    with pytest.raises(LookupError, match="mine"):
        async with fan_out(double, numbers(10), concurrency=2, ordered=True) as results:
            async for _ in results:
                raise LookupError("mine")


async def test_leaving_early_stops_the_workers_and_closes_the_source() -> None:
    stopped, closed = [], []

    async def source() -> AsyncGenerator[int]:
        try:
            for number in range(100):
                yield number
        finally:
            closed.append(True)

    async def hangs(number: int) -> int:
        if number == 0:
            return 0
        try:
            await anyio.sleep_forever()
        finally:
            stopped.append(number)
        return number

    async with fan_out(hangs, source(), concurrency=3, ordered=True) as results:
        assert await anext(results) == 0
        await anyio.wait_all_tasks_blocked()
    assert sorted(stopped) == [1, 2, 3]
    assert closed == [True]


async def test_cancelling_from_outside_stops_everything(numbers: Numbers) -> None:
    stopped = []

    async def hangs(number: int) -> int:
        try:
            await anyio.sleep_forever()
        finally:
            stopped.append(number)
        return number

    with anyio.CancelScope() as scope:
        async with fan_out(hangs, numbers(100), concurrency=3, ordered=True) as results:
            await anyio.wait_all_tasks_blocked()
            scope.cancel()
            await anext(results)
    assert scope.cancelled_caught
    assert sorted(stopped) == [0, 1, 2]


async def test_a_source_may_end_while_work_is_under_way(numbers: Numbers) -> None:
    async with fan_out(double, numbers(2), concurrency=10, ordered=False) as results:
        assert sorted(await listed(results)) == [0, 2]


async def test_a_source_is_read_by_one_task_for_it_may_hold_cancel_scopes() -> None:
    async def scoped() -> AsyncGenerator[int]:
        async with anyio.create_task_group() as group:
            group.start_soon(anyio.sleep_forever)
            for number in range(10):
                await checkpoint()
                yield number
            group.cancel_scope.cancel()

    async with fan_out(double, scoped(), concurrency=3, ordered=True) as results:
        assert await listed(results) == list(range(0, 20, 2))


@pytest.mark.parametrize("ordered", [True, False])
async def test_readers_may_share_the_results(ordered: bool, numbers: Numbers) -> None:
    seen: list[int] = []

    async def read() -> None:
        async for number in results:
            seen.append(number)

    async with fan_out(double, numbers(20), concurrency=3, ordered=ordered) as results:
        async with anyio.create_task_group() as readers:
            readers.start_soon(read)
            readers.start_soon(read)
    assert sorted(seen) == list(range(0, 40, 2))


async def test_there_is_nothing_to_read_after_leaving(numbers: Numbers) -> None:
    async with fan_out(double, numbers(10), concurrency=2, ordered=True) as results:
        assert await anext(results) == 0
    with pytest.raises(anyio.ClosedResourceError):
        await listed(results)


async def test_a_cancellation_in_the_moment_of_a_deadline_is_not_lost(numbers: Numbers) -> None:
    async def reader() -> None:
        async with fan_out(double, numbers(3), concurrency=2, ordered=True) as results:
            await anext(results)
            # What a task gets that is cancelled when the deadline of a scope of its own has just come.
            raise asyncio.CancelledError("Cancelled via cancel scope 7f0000000000; reason: deadline exceeded")

    with pytest.raises(asyncio.CancelledError):
        await asyncio.ensure_future(reader())


async def test_what_items_in_flight_say_when_they_are_cancelled_is_said_of_all(numbers: Numbers) -> None:
    notes: list[str] = []

    async def work(number: int) -> int:
        if number == 4:
            scope.cancel()
        try:
            await anyio.sleep_forever()
        except asyncio.CancelledError as error:
            error.add_note(f"waited for {number}")
            raise
        return number

    with anyio.CancelScope() as scope:
        try:
            async with fan_out(work, numbers(9), concurrency=5, ordered=True) as results:
                await anext(results)
        except asyncio.CancelledError as error:
            notes = error.__notes__
            raise
    assert len(notes) == 3
    assert set(notes) < {f"waited for {number}" for number in range(5)}


async def test_workers_read_a_generator_no_further_than_results_are_taken() -> None:
    read: list[int] = []

    def counted() -> Generator[int]:
        for number in range(100):
            read.append(number)
            yield number

    async with fan_out(double, counted(), concurrency=3, ordered=True) as results:
        await anyio.wait_all_tasks_blocked()
        assert len(read) == 3
        await anext(results)
        await anyio.wait_all_tasks_blocked()
        assert len(read) == 4


async def test_an_error_of_a_generator_comes_after_all_that_was_read_before() -> None:
    def breaks() -> Generator[int]:
        yield from range(3)
        raise OSError("the source broke")

    async with fan_out(double, breaks(), concurrency=2, ordered=False) as results:
        assert sorted([await anext(results), await anext(results), await anext(results)]) == [0, 2, 4]
        with pytest.raises(OSError, match="the source broke"):
            await anext(results)


async def test_leaving_early_closes_a_generator() -> None:
    closed: list[bool] = []

    def source() -> Generator[int]:
        try:
            yield from range(100)
        finally:
            closed.append(True)

    async with fan_out(double, source(), concurrency=3, ordered=True) as results:
        assert await anext(results) == 0
    assert closed == [True]


async def test_a_worker_that_is_cancelled_with_a_slot_hands_it_on() -> None:
    slots, got = Slots(0), []

    async def take(name: str) -> None:
        await slots.take()
        got.append(name)

    async with anyio.create_task_group() as group:
        first, second = asyncio.create_task(take("first")), asyncio.create_task(take("second"))
        await anyio.wait_all_tasks_blocked()
        slots.release()
        first.cancel()  # before it could go on
        await asyncio.wait([first, second])
        group.cancel_scope.cancel()
    assert got == ["second"]
