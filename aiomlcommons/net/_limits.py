"""Limits of time that cost a call no timer of its own: one timer looks after many calls, and is set anew when it fires.

A timer for each call, and one more for each read from the socket, would cost a sixth of a small call.
"""

from __future__ import annotations

import asyncio
import math
from types import TracebackType
from typing import Any

import aiohttp

from aiomlcommons.net._pooled import Pooled

# How a connection keeps its read limit is no public interface of aiohttp: another version has its own timers.
IS_KNOWN = aiohttp.__version__.startswith("3.14.")


class Deadlines:
    """The ends of what runs now, of which one timer knows the first."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.running: set[Within] = set()
        self.looks_at = math.inf
        self._timer: asyncio.TimerHandle | None = None

    def look_at(self, when: float) -> None:
        """Look after what runs at some time. The timer stays when that has ended: the next one may take it over."""
        self.close()
        self._timer, self.looks_at = self.loop.call_at(when, self._look), when

    def close(self) -> None:
        """Look after nothing any more."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self.looks_at = None, math.inf

    def _look(self) -> None:
        self._timer, self.looks_at = None, math.inf
        now = self.loop.time()
        for one in [one for one in self.running if one.end <= now]:
            self.running.discard(one)
            one.expire()
        if self.running:
            self.look_at(min(one.end for one in self.running))


class Within:
    """A context that ends after so many seconds, with a TimeoutError; ``asyncio.timeout`` with a shared timer."""

    __slots__ = ("_before", "_deadlines", "_is_over", "_seconds", "_task", "end")

    def __init__(self, deadlines: Deadlines, seconds: float | None) -> None:
        """``seconds``: None is no limit."""
        self._deadlines, self._seconds, self._is_over = deadlines, seconds, False

    def __enter__(self) -> None:
        if self._seconds is None:
            return
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a call has to be made in a task")
        self._task, self._before = task, task.cancelling()
        deadlines = self._deadlines
        self.end = end = deadlines.loop.time() + self._seconds
        deadlines.running.add(self)
        if end < deadlines.looks_at:
            deadlines.look_at(end)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._seconds is None:
            return
        self._deadlines.running.discard(self)
        # Cancelled by somebody else, too, it is cancelled.
        if self._is_over and self._task.uncancel() <= self._before and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def expire(self) -> None:
        """Cancel what runs in the context."""
        self._is_over = True
        self._task.cancel()


class Connection(Pooled):
    """A pooled connection that notes when it heard something, in place of a new timer for each read.

    The names are those of aiohttp.
    """

    _heard: float | None = None
    _silence: asyncio.TimerHandle | None = None
    _looks_at = math.inf

    def _reschedule_timeout(self) -> None:
        if not self._read_timeout:
            self._heard = None
            return
        self._heard = now = self._loop.time()
        if now + self._read_timeout < self._looks_at:
            self._look_at(now + self._read_timeout)

    def _drop_timeout(self) -> None:
        self._heard = None

    def _look_at(self, when: float) -> None:
        self._stop_looking()
        self._silence, self._looks_at = self._loop.call_at(when, self._look), when

    def _look(self) -> None:
        self._silence, self._looks_at = None, math.inf
        if self._heard is None or not self._read_timeout:
            return
        if (end := self._heard + self._read_timeout) > self._loop.time():
            self._look_at(end)
        else:
            self._heard = None
            self._on_read_timeout()

    def _stop_looking(self) -> None:
        if self._silence is not None:
            self._silence.cancel()
        self._silence, self._looks_at = None, math.inf

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget the timer with the connection."""
        super().connection_lost(exc)
        self._stop_looking()

    def close(self) -> Any:
        """Forget the timer with the connection."""
        self._stop_looking()
        return super().close()
