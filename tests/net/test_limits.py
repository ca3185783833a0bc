"""Limits of time that share a timer: each is kept to the second, whoever else is under way. Time is virtual."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from aiohttp import SocketTimeoutError
from aiohttp.client_proto import ResponseHandler

from aiomlcommons.net._limits import Connection, Deadlines, Within
from tests.support.virtual_time import Loop


@pytest.fixture
def loop() -> Iterator[Loop]:
    made = Loop()
    yield made
    made.close()


class Calls:
    """Calls with limits; ``ended`` tells how and when each ended."""

    def __init__(self, loop: Loop) -> None:
        self.loop, self.deadlines = loop, Deadlines(loop)
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self.ended: dict[str, tuple[str, float]] = {}

    def begin(self, name: str, *, takes: float, limit: float | None) -> None:
        self.tasks[name] = self.loop.create_task(self._call(name, takes, limit))

    async def _call(self, name: str, takes: float, limit: float | None) -> None:
        how = "done"
        try:
            with Within(self.deadlines, limit):
                await asyncio.sleep(takes)
        except TimeoutError:
            how = "too late"
        except asyncio.CancelledError:
            how = "cancelled"
        self.ended[name] = how, self.loop.time()


def test_each_call_ends_by_its_own_limit(loop: Loop) -> None:
    calls = Calls(loop)
    calls.begin("long", takes=50, limit=30)
    calls.begin("short", takes=50, limit=5)
    calls.begin("in time", takes=4, limit=5)
    calls.begin("without", takes=50, limit=None)
    loop.run(seconds=2)
    calls.begin("later", takes=50, limit=5)
    loop.run()
    assert calls.ended == {
        "long": ("too late", 30),
        "short": ("too late", 5),
        "in time": ("done", 4),
        "without": ("done", 50),
        "later": ("too late", 7),
    }


def test_a_timer_that_is_left_over_serves_the_next_call(loop: Loop) -> None:
    calls = Calls(loop)
    calls.begin("first", takes=1, limit=10)
    loop.run(seconds=6)
    calls.begin("second", takes=50, limit=10)
    loop.run()
    assert calls.ended == {"first": ("done", 1), "second": ("too late", 16)}


def test_a_call_that_is_cancelled_too_is_cancelled(loop: Loop) -> None:
    calls = Calls(loop)
    calls.begin("one", takes=50, limit=5)
    loop.call_at(5, lambda: calls.tasks["one"].cancel())
    loop.run()
    assert calls.ended == {"one": ("cancelled", 5)}


def test_a_call_that_was_too_late_can_be_cancelled_later(loop: Loop) -> None:
    counts = []

    async def call() -> None:
        task = asyncio.current_task()
        assert task is not None
        with pytest.raises(TimeoutError), Within(Deadlines(loop), 1):
            await asyncio.sleep(9)
        counts.append(task.cancelling())

    loop.create_task(call())
    loop.run()
    assert counts == [0]


def test_nothing_is_left_when_they_are_closed(loop: Loop) -> None:
    calls = Calls(loop)
    calls.begin("one", takes=1, limit=10)
    loop.run(seconds=2)
    calls.deadlines.close()
    loop.run()
    assert loop.time() == 2


class Silence:
    """A connection, and when it was silent for too long."""

    def __init__(self, loop: Loop, seconds: float | None) -> None:
        self.loop, self.connection = loop, Connection(loop)
        self.connection.read_timeout = seconds

    def hears_at(self, *times: float) -> None:
        for when in times:
            self.loop.call_at(when, self.connection._reschedule_timeout)

    def ends_at(self, when: float) -> None:
        self.loop.call_at(when, self.connection._drop_timeout)

    def run(self) -> float | None:
        """Return when it was silent for too long."""
        self.loop.run()
        return self.loop.time() if isinstance(self.connection.exception(), SocketTimeoutError) else None


@pytest.mark.parametrize(
    ("seconds", "hears", "ends", "silent"),
    [
        (10, [0], None, 10),
        (10, [0, 4, 9], None, 19),
        (10, [0, 4], 9, None),
        (None, [0, 4], None, None),
    ],
)
def test_silence_is_counted_from_what_was_heard_last(
    loop: Loop, seconds: float | None, hears: list[float], ends: float | None, silent: float | None
) -> None:
    one = Silence(loop, seconds)
    one.hears_at(*hears)
    if ends is not None:
        one.ends_at(ends)
    assert one.run() == silent


def test_the_next_request_of_a_connection_may_have_a_shorter_limit(loop: Loop) -> None:
    one = Silence(loop, 60)
    one.hears_at(0)
    one.ends_at(1)
    loop.call_at(2, lambda: setattr(one.connection, "read_timeout", 3))
    one.hears_at(2)
    assert one.run() == 5


def test_a_connection_that_is_lost_leaves_no_timer(loop: Loop) -> None:
    one = Silence(loop, 60)
    one.hears_at(0)
    loop.call_at(1, lambda: one.connection.connection_lost(None))
    assert one.run() is None
    assert loop.time() == 1


def test_aiohttp_has_the_methods_that_are_replaced() -> None:
    # Else it would take timers of its own again: nothing would be wrong, but slower.
    assert {"_reschedule_timeout", "_drop_timeout", "_on_read_timeout"} <= vars(ResponseHandler).keys()
