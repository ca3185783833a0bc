"""Which rows are dealt with, and where the source is to be read from when the job goes on."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from itertools import groupby
from typing import Any


class Tracker:
    """Rows that are dealt with: all below ``below``, and some beyond it.

    What it holds is bounded by what is under way, because ``below`` moves up as soon as its gap is closed. Whether a
    row is in it may be asked in any thread; the rest is for one.
    """

    def __init__(self, below: int = 0, beyond: Iterable[tuple[int, int]] = ()) -> None:
        self.below = below
        self._beyond = {row for first, last in beyond for row in range(first, last + 1)}
        self._marks: deque[tuple[int, Any]] = deque()

    def __contains__(self, row: int) -> bool:
        # In this order, and `done` in its: a row that moves from one to the other meanwhile must not be missed.
        return row in self._beyond or row < self.below

    def done(self, rows: Iterable[int]) -> None:
        """These are dealt with."""
        self._beyond.update(row for row in rows if row >= self.below)
        while self.below in self._beyond:
            self.below += 1
            self._beyond.remove(self.below - 1)

    @property
    def beyond(self) -> list[tuple[int, int]]:
        """The first and last row of each run of rows that are dealt with beyond a gap."""
        runs = groupby(enumerate(sorted(self._beyond)), key=lambda pair: pair[1] - pair[0])
        return [(members[0][1], members[-1][1]) for members in (list(run) for _, run in runs)]

    def read(self, start: int, position: Any) -> None:
        """Rows from ``start`` on were read, and ``position`` is how to read them again."""
        self._marks.append((start, position))
        self._forget()

    def place(self) -> tuple[int, Any]:
        """Where to read from so that no row is missed that is not dealt with: a row, and its mark."""
        self._forget()
        return self._marks[0] if self._marks else (0, None)

    def _forget(self) -> None:
        while len(self._marks) > 1 and self._marks[1][0] <= self.below:
            self._marks.popleft()
