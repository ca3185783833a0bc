"""Log lines that may come by the thousand: the first of a kind are written, the others counted and summed up."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Hashable, Mapping
from typing import Any

import attrs

log = logging.getLogger("aiomlcommons")

# Lines of a kind that are written before the others are counted; and the seconds that a sum is about.
FIRST, EVERY = 3, 10.0
# Kinds that are known at a time; of more, the oldest is summed up and begins anew.
MOST = 100


@attrs.define
class _Kind:
    level: int
    more: str | None
    began: float
    written: int = 0
    counted: int = 0
    calm: bool = True


@attrs.define
class Sparing:
    """Writes log lines, but of one kind at most ``first``, and then one line each 10 s that says how many there were.

    A kind whose lines stop for 10 s begins anew. ``close`` writes the sums that are due. ``clock`` returns seconds.
    """

    clock: Callable[[], float] = time.monotonic
    _kinds: dict[Hashable, _Kind] = attrs.field(factory=dict)
    _timer: asyncio.TimerHandle | None = None

    def say(
        self,
        level: int,
        kind: Hashable,
        words: str,
        *values: Any,
        more: str | None,
        first: int = FIRST,
        extra: Mapping[str, Any] | None = None,
    ) -> None:
        """Write a line, or count it if its kind had its lines; the sum is named by ``more``, None is no sum."""
        if not log.isEnabledFor(level):
            return
        found = self._kind(kind, level, more)
        if found.calm and found.written < first:
            found.written += 1
            log.log(level, words, *values, extra=extra)
            return
        found.counted += 1
        found.more = more
        self._wake()

    def close(self) -> None:
        """Write what was counted and not told yet."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for kind in self._kinds.values():
            self._sum_up(kind)
        self._kinds.clear()

    def _kind(self, key: Hashable, level: int, more: str | None) -> _Kind:
        now = self.clock()
        found = self._kinds.get(key)
        if found is None:
            if len(self._kinds) >= MOST:
                self._sum_up(self._kinds.pop(next(iter(self._kinds))))
            found = self._kinds[key] = _Kind(level, more, now)
        elif now - found.began >= EVERY:
            self._turn_over(found, now)
        return found

    def _turn_over(self, kind: _Kind, now: float) -> None:
        """Begin the next 10 s of a kind, which are quiet if the last ones were not."""
        kind.calm = not kind.counted or now - kind.began >= 2 * EVERY
        self._sum_up(kind)
        kind.began, kind.written = now, 0

    def _sum_up(self, kind: _Kind) -> None:
        if kind.counted and kind.more is not None:
            seconds = max(1.0, self.clock() - kind.began)
            log.log(kind.level, "%s: %d more in %.0f s", kind.more, kind.counted, seconds)
        kind.counted = 0

    def _wake(self) -> None:
        """Have the sums written in time, even if no further line comes."""
        if self._timer is None:
            try:
                self._timer = asyncio.get_running_loop().call_later(EVERY, self._on_time)
            except RuntimeError:  # no loop runs, as in a thread: the next line, or the end, tells it
                return

    def _on_time(self) -> None:
        self._timer = None
        now = self.clock()
        for kind in self._kinds.values():
            if kind.counted and now - kind.began >= EVERY:
                self._turn_over(kind, now)
        if any(kind.counted for kind in self._kinds.values()):
            self._wake()
