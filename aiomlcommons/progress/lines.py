"""Plain lines of progress, for where nobody looks: a pipe, a file, a log."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import TextIO

from aiomlcommons.progress.display import trouble
from aiomlcommons.progress.event import Phase, Progress
from aiomlcommons.progress.words import plain, span

FIRST, LONGEST = 2.0, 30.0
"""Seconds before a plain line says that a step goes on: at first, and at most."""


class Lines:
    """Plain lines for a pipe, a file or a log: each step, and now and then that it goes on."""

    def __init__(
        self,
        out: TextIO | None,
        hidden: Collection[Phase] = (),
        *,
        says_end: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._out, self._hidden, self._says_end, self._clock = out, hidden, says_end, clock
        self._shown, self._pause = clock(), FIRST
        self._last: Progress | None = None

    def heard(self, progress: Progress, *, step: bool) -> None:
        """Print a step at once; the state after 2 s, and then in pauses that grow to 30 s."""
        now = self._clock()
        if step:
            self._pause = FIRST
            if progress.phase not in self._hidden:
                self._print(str(progress), now)
        elif now - self._shown >= self._pause:
            self._pause = min(LONGEST, 1.5 * self._pause)
            self._print(str(progress) if progress.rate is not None else f"{progress} ({span(progress.seconds)})", now)
        self._last = progress

    def ended(self, error: BaseException | None) -> None:
        """Print how a failed call ended."""
        if self._says_end and self._last is not None and (how := trouble(self._last, error)):
            self._print(f"{how}: {self._last}", self._clock())

    def _print(self, line: str, now: float) -> None:
        self._shown = now
        # The reader of a pipe may be gone, or a disk full, while the job itself goes on.
        with suppress(OSError, ValueError):
            if self._out is not None:
                self._out.write(f"{plain(line)}\n")
                self._out.flush()
