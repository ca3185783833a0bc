"""Tracking of settled rows (a low-water mark with gaps), and of the source position to resume from."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from itertools import groupby
from typing import Any


class Tracker:
    """The set of settled rows: all below the low-water mark ``below``, and some beyond it.

    Its size is bounded by the rows in flight, because ``below`` moves up as soon as its gap is closed. ``in`` may be
    used from any thread, the methods from one thread only.
    """

    def __init__(self, below: int = 0, beyond: Iterable[tuple[int, int]] = ()) -> None:
        self.below = below
        self._beyond = {row for first, last in beyond for row in range(first, last + 1)}
        self._positions: deque[tuple[int, Any]] = deque()

    def __contains__(self, row: int) -> bool:
        # The order matters, here and in `done`: a row that another thread moves meanwhile must not be missed.
        return row in self._beyond or row < self.below

    def done(self, rows: Iterable[int]) -> None:
        """Add rows that are settled."""
        self._beyond.update(row for row in rows if row >= self.below)
        while self.below in self._beyond:
            self.below += 1
            self._beyond.remove(self.below - 1)

    @property
    def beyond(self) -> list[tuple[int, int]]:
        """The runs of settled rows beyond the first gap, as pairs of first and last row."""
        runs = groupby(enumerate(sorted(self._beyond)), key=lambda pair: pair[1] - pair[0])
        return [(members[0][1], members[-1][1]) for members in (list(run) for _, run in runs)]

    def read(self, start: int, position: Any) -> None:
        """Record that rows from ``start`` on were read; the source can read them again from ``position``."""
        self._positions.append((start, position))
        self._drop_passed()

    def resume_from(self) -> tuple[int, Any]:
        """Return the row to resume reading at, and its position, so that no unsettled row is missed."""
        self._drop_passed()
        return self._positions[0] if self._positions else (0, None)

    def _drop_passed(self) -> None:
        while len(self._positions) > 1 and self._positions[1][0] <= self.below:
            self._positions.popleft()
