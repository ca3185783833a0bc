"""Lines that may come by the thousand are written sparingly. Time is virtual."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Iterator
from typing import Any

import pytest

from aiomlcommons.net.sparing import EVERY, FIRST, MOST, Sparing
from tests.support.virtual_time import Loop


@pytest.fixture
def loop() -> Iterator[Loop]:
    made = Loop()
    yield made
    made.close()


@pytest.fixture(autouse=True)
def _at_info(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "aiomlcommons")


def said(lines: Sparing, times: int = 1, kind: str = "a") -> None:
    for _ in range(times):
        lines.say(logging.INFO, kind, "a thing: %s", kind, more="things")


def run(loop: Loop, work: Coroutine[Any, Any, None]) -> None:
    task = loop.create_task(work)
    loop.run()
    task.result()


def test_the_first_of_a_kind_are_written_and_a_sum_for_the_others(loop: Loop, caplog: pytest.LogCaptureFixture) -> None:
    lines = Sparing(loop.time)

    async def work() -> None:
        said(lines, FIRST + 3)
        assert caplog.messages == ["a thing: a"] * FIRST
        await asyncio.sleep(EVERY + 1)

    run(loop, work())
    assert caplog.messages[FIRST:] == ["things: 3 more in 10 s"]


def test_while_it_goes_on_there_is_one_line_each_ten_seconds(loop: Loop, caplog: pytest.LogCaptureFixture) -> None:
    lines = Sparing(loop.time)

    async def work() -> None:
        for _ in range(600):
            said(lines, 10)
            await asyncio.sleep(0.1)
        lines.close()

    run(loop, work())
    assert FIRST + 5 <= len(caplog.messages) <= FIRST + 7
    counted = sum(int(words.split()[1]) for words in caplog.messages[FIRST:])
    assert counted == 6000 - FIRST, "none is lost"


def test_what_stops_begins_anew(loop: Loop, caplog: pytest.LogCaptureFixture) -> None:
    lines = Sparing(loop.time)

    async def work() -> None:
        said(lines, FIRST + 1)
        await asyncio.sleep(4 * EVERY)
        said(lines)
        lines.close()

    run(loop, work())
    assert caplog.messages == ["a thing: a"] * FIRST + ["things: 1 more in 10 s", "a thing: a"]


def test_kinds_do_not_silence_each_other_and_the_end_tells_what_is_due(caplog: pytest.LogCaptureFixture) -> None:
    lines = Sparing(lambda: 0.0)
    said(lines, FIRST + 1, "a")
    said(lines, 1, "b")
    lines.close()
    lines.close()
    assert caplog.messages == ["a thing: a"] * FIRST + ["a thing: b", "things: 1 more in 1 s"]


def test_no_more_kinds_are_kept_than_a_bound(caplog: pytest.LogCaptureFixture) -> None:
    lines = Sparing(lambda: 0.0)
    for number in range(2 * MOST):
        said(lines, FIRST + 1, str(number))
    assert len(lines._kinds) == MOST
    assert sum("things: 1 more" in words for words in caplog.messages) == MOST


def test_where_nobody_reads_nothing_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "aiomlcommons")
    lines = Sparing(lambda: 0.0)
    said(lines, 1000)
    assert not lines._kinds
