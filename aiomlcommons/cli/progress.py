"""One line that says how far a long job is."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self, TextIO

_BAR = 30


class Progress:
    """Counts things done on one line of a terminal, or on a new line every ``every`` seconds elsewhere."""

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
        """Since the start."""
        return self._clock() - self._started

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._out.write("\r\033[K")
            self._out.flush()

    def add(self, count: int) -> None:
        """So many more are done."""
        self.count += count
        now = self._clock()
        if now - self._shown >= (0.1 if self._live else self._every):
            self._shown = now
            self._show(f"{self.count:,} {self._noun}, {self.rate}")

    def bar(self, done: int, total: int, words: str) -> None:
        """How far a step is whose end is known."""
        self.count = done
        now = self._clock()
        if done >= total or now - self._shown >= (0.1 if self._live else self._every):
            self._shown = now
            filled = _BAR * done // max(total, 1)
            drawn = "#" * filled + "-" * (_BAR - filled)
            self._show(f"{words} [{drawn}] {100 * done // max(total, 1)} % of {total:,} {self._noun}, {self.rate}")

    def show(self, words: str) -> None:
        """How far it is, in the caller's words."""
        now = self._clock()
        if now - self._shown >= (0.1 if self._live else self._every):
            self._shown = now
            self._show(words)

    def say(self, words: str) -> None:
        """A step that is not counted, on a line of its own."""
        self._out.write(f"\r\033[K{words}\n" if self._live else f"{words}\n")
        self._out.flush()

    @property
    def rate(self) -> str:
        """How many a second."""
        return f"{self.count / max(self.seconds, 1e-9):,.0f} {self._noun}/s"

    def _show(self, words: str) -> None:
        self._out.write(f"\r\033[K{words}" if self._live else f"{words}\n")
        self._out.flush()
