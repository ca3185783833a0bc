"""Tracking of settled rows (a low-water mark with gaps), and of the source position to resume from."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence, Set
from typing import Any


class Tracker:
    """The set of settled rows: all below the low-water mark ``below``, and some beyond it.

    Its size is bounded by the rows in flight, because ``below`` moves up as soon as its gap is closed. ``in`` and
    ``unsettled`` may be used from any thread, the other methods from one thread only.
    """

    def __init__(self, below: int = 0, beyond: Iterable[tuple[int, int]] = ()) -> None:
        self.below = below
        # Ranges of rows, from first to end, and single rows. The dict is replaced, not changed: threads go over it.
        self._ranges: dict[int, int] = {first: last + 1 for first, last in beyond}
        self._single: set[int] = set()
        self._positions: deque[tuple[int, Any]] = deque()
        self._raise_below()

    def __contains__(self, row: int) -> bool:
        # The order matters, here and in `_raise_below`: a row that another thread moves meanwhile must not be missed.
        in_range = any(first <= row < end for first, end in self._ranges.items())
        return in_range or row in self._single or row < self.below

    def unsettled(self, start: int, end: int) -> Sequence[int]:
        """Return the rows from ``start`` on and before ``end`` that are not settled."""
        overlap = any(first < end and start < stop for first, stop in self._ranges.items())
        if overlap or not self._single.isdisjoint(range(start, end)):
            return [row for row in range(start, end) if row not in self]
        return range(min(max(start, self.below), end), end)

    def done(self, rows: Sequence[int] | Set[int]) -> None:
        """Add rows that are settled."""
        if not isinstance(rows, range) or rows.step != 1:
            self._single.update(row for row in rows if row >= self.below)
        elif rows.start > self.below:
            self._ranges = {**self._ranges, rows.start: max(rows.stop, self._ranges.get(rows.start, 0))}
        elif rows:
            self.below = max(self.below, rows.stop)
        if self._ranges or self._single:
            self._raise_below()

    def _raise_below(self) -> None:
        """Move the mark up over the rows that follow it, then drop those below it."""
        while True:
            while self.below in self._single:
                self.below += 1
                self._single.remove(self.below - 1)
            reached = [end for first, end in self._ranges.items() if first <= self.below]
            if not reached:
                break
            self.below = max(self.below, *reached)
            self._ranges = {first: end for first, end in self._ranges.items() if end > self.below}
        if self._single and min(self._single) < self.below:
            self._single = {row for row in self._single if row > self.below}

    @property
    def beyond(self) -> list[tuple[int, int]]:
        """The runs of settled rows beyond the first gap, as pairs of first and last row."""
        runs: list[tuple[int, int]] = []
        for first, end in sorted([*self._ranges.items(), *((row, row + 1) for row in self._single)]):
            if runs and first <= runs[-1][1] + 1:
                runs[-1] = (runs[-1][0], max(runs[-1][1], end - 1))
            else:
                runs.append((first, end - 1))
        return runs

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
