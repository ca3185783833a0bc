"""A one-line progress display."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self, TextIO

_BAR = 30


class Progress:
    """Shows progress on one live line of a terminal, or on a new line each ``every`` seconds elsewhere."""

    def __init__(
        self,
        noun: str,
        *,
        every: float = 2.0,
        out: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._noun, self._every, self._clock = noun, every, clock
        self._out = out or sys.stderr
        self._live = self._out.isatty()
        self._started = self._shown = clock()
        self.count = 0

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return self._clock() - self._started

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._write("\r\033[K")

    def add(self, count: int) -> None:
        """Count this many more, and show the count."""
        self.count += count
        now = self._clock()
        if now - self._shown >= (0.1 if self._live else self._every):
            self._shown = now
            self._show(f"{self.count:,} {self._noun}, {self.rate}")

    def bar(self, done: int, total: int, words: str) -> None:
        """Show a bar for a step whose total is known."""
        self.count = done
        now = self._clock()
        if done >= total or now - self._shown >= (0.1 if self._live else self._every):
            self._shown = now
            filled = _BAR * done // max(total, 1)
            drawn = "#" * filled + "-" * (_BAR - filled)
            self._show(f"{words} [{drawn}] {100 * done // max(total, 1)} % of {total:,} {self._noun}, {self.rate}")

    def show(self, words: str) -> None:
        """Show a text of the caller."""
        now = self._clock()
        if now - self._shown >= (0.1 if self._live else self._every):
            self._shown = now
            self._show(words)

    def say(self, words: str) -> None:
        """Print a text on a line of its own."""
        self._write(f"\r\033[K{words}\n" if self._live else f"{words}\n")

    @property
    def rate(self) -> str:
        """The rate as text."""
        return f"{self.count / max(self.seconds, 1e-9):,.0f} {self._noun}/s"

    def _show(self, words: str) -> None:
        self._write(f"\r\033[K{words}" if self._live else f"{words}\n")

    def _write(self, words: str) -> None:
        # A terminal may be closed, or a disk full, while the job itself goes on.
        with suppress(OSError):
            self._out.write(words)
            self._out.flush()
