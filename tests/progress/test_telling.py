"""What a call tells of its progress reaches a callback: steps at once, counts now and then; errors end the call."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from aiomlcommons import InvalidRequest, Phase, Progress
from aiomlcommons.progress import telling as module
from aiomlcommons.progress.display import ToCallback
from aiomlcommons.progress.telling import telling

pytestmark = pytest.mark.asyncio

BEGUN = Progress(phase=Phase.CHECKING, name="m")
STEP = Progress(phase=Phase.REGISTERING, name="m")


def count(done: int, phase: Phase = Phase.UPLOADING) -> Progress:
    return Progress(phase=phase, name="m", done=done, total=1_000, unit="bytes")


async def test_a_function_is_told_each_step_in_order_and_the_last_count_of_each() -> None:
    told: list[tuple[Phase, int | None]] = []
    async with telling(lambda progress: told.append((progress.phase, progress.done)), BEGUN) as tell:
        tell(STEP)
        for done in range(1_001):
            tell(count(done))
        tell(count(5, Phase.CHECKING))
        tell(count(9, Phase.CHECKING))
    assert told == [
        (Phase.REGISTERING, None),
        (Phase.UPLOADING, 0),
        (Phase.UPLOADING, 1_000),
        (Phase.CHECKING, 5),
        (Phase.CHECKING, 9),
    ]


async def test_counts_come_while_the_call_goes_on_and_not_again_if_they_are_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "EVERY", 0)
    told: list[int | None] = []
    counted = 0

    def look() -> Progress:
        return count(counted)

    async with telling(lambda progress: told.append(progress.done), BEGUN) as tell:
        tell(look())
        tell.watch(look)
        for counted in (1, 2):
            while counted not in told:
                await anyio.lowlevel.checkpoint()
        for _ in range(20):
            await anyio.lowlevel.checkpoint()
    assert told == [0, 1, 2]


async def test_an_async_function_is_awaited_and_the_call_ends_after_it() -> None:
    told: list[Phase] = []

    async def slow(progress: Progress) -> None:
        await anyio.lowlevel.checkpoint()
        told.append(progress.phase)

    async with telling(slow, BEGUN) as tell:
        tell(STEP)
    assert told == [Phase.REGISTERING]


async def _raises(_: Progress) -> None:
    raise ZeroDivisionError("mine")


def _raises_at_once(_: Progress) -> None:
    raise ZeroDivisionError("mine")


@pytest.mark.parametrize("callback", [_raises, _raises_at_once])
async def test_what_a_function_raises_cancels_the_call_and_is_its_error(callback: Callable[[Progress], Any]) -> None:
    left = False
    with pytest.raises(ZeroDivisionError, match="mine"):
        async with telling(callback, BEGUN) as tell:
            tell(STEP)
            try:
                await anyio.sleep_forever()
            finally:
                left = True
    assert left


async def test_an_error_of_the_function_at_the_very_end_is_the_calls_error() -> None:
    with pytest.raises(ZeroDivisionError, match="mine"):
        async with telling(_raises, BEGUN) as tell:
            tell(STEP)


async def test_an_error_that_the_cancelled_call_makes_of_it_does_not_hide_that_of_the_function() -> None:
    with pytest.raises(ZeroDivisionError, match="mine"):
        async with telling(_raises, BEGUN) as tell:
            tell(STEP)
            try:
                await anyio.sleep_forever()
            except asyncio.CancelledError:
                raise KeyError("a consequence") from None


async def test_the_error_of_the_call_comes_first_and_what_was_told_before_it_is_told() -> None:
    told: list[Phase] = []
    with pytest.raises(KeyError, match="own"):
        async with telling(lambda progress: told.append(progress.phase), BEGUN) as tell:
            tell(STEP)
            raise KeyError("own")
    assert told == [Phase.REGISTERING]
    with pytest.raises(KeyError, match="own") as caught:
        async with telling(_raises, BEGUN) as tell:
            tell(STEP)
            raise KeyError("own")
    assert caught.value.__notes__ == ["what was told of progress raised, too: ZeroDivisionError('mine')"]


async def test_a_call_that_is_cancelled_from_outside_stays_cancelled() -> None:
    told: list[Progress] = []
    with anyio.move_on_after(0) as scope:
        async with telling(told.append, BEGUN) as tell:
            tell(STEP)
            await anyio.sleep_forever()
    assert scope.cancelled_caught


async def test_a_part_of_a_call_tells_what_the_call_tells_to() -> None:
    told: list[Phase] = []
    async with telling(lambda progress: told.append(progress.phase), BEGUN) as tell:
        async with telling(tell, BEGUN) as inner:
            inner(STEP)
        tell(Progress(phase=Phase.DEPLOYED))
    assert told == [Phase.REGISTERING, Phase.DEPLOYED]


async def test_without_progress_steps_go_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "aiomlcommons"):
        async with telling(False, BEGUN) as tell:
            tell(STEP)
            tell.quietly(count(1))
            tell.watch(lambda: count(2))
    assert caplog.messages == ["registering: m"]


class Broken:
    def heard(self, progress: Progress, *, step: bool) -> None:
        raise ZeroDivisionError

    def ended(self, error: BaseException | None) -> None:
        raise ZeroDivisionError


async def test_a_display_that_fails_ends_no_call_and_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    async with telling(Broken(), BEGUN) as tell:
        tell(STEP)
        tell(count(1))
    assert caplog.messages == ["progress can be shown no more"]


@pytest.mark.parametrize("wrong", ["yes", None, 1, 0])
async def test_anything_else_is_refused_and_named(wrong: Any) -> None:
    with pytest.raises(InvalidRequest, match=f"progress must be True, False or a function .*, not {wrong!r}"):
        async with telling(wrong, BEGUN):
            pass


async def test_a_rate_and_the_time_left_are_those_of_the_step() -> None:
    told: list[Progress] = []
    now = [0.0]
    reporter = module.Reporter(ToCallback(told.append), BEGUN, clock=lambda: now[0])
    now[0] = 100.0
    reporter(count(100))
    now[0] = 110.0
    reporter(count(300))
    async with anyio.create_task_group() as group:
        group.start_soon(reporter.run)
        await reporter.finish()
    assert [(one.done, one.rate, one.eta, one.seconds) for one in told] == [
        (100, None, None, 100.0),
        (300, 20.0, 35.0, 110.0),
    ]
