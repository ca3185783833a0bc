"""Latency samples of the concurrency limiter."""

from __future__ import annotations

import math

import attrs

# Relative standard deviation that is assumed at least: a few answers may be alike by chance.
LEAST_DEVIATION = 0.05


@attrs.define(eq=False)
class Sample:
    """A cohort of requests sent one after another, and their latencies; complete when all have ended.

    Evaluating the first responses alone would be biased: they are the fast ones. ``size``, ``begun``, ``ended`` and
    ``crowded`` count permits, of which a request may have several; ``succeeded`` counts requests, because what those
    permits tell of the latency is one observation.
    """

    size: int
    limit: int
    epoch: int = 0
    # Whether it began while the limit rose, so that its requests found a shorter queue than there will be.
    glance: bool = False
    # Whether it is a trial of more requests than the base limit.
    more: bool = False
    begun: int = 0
    ended: int = 0
    succeeded: float = 0
    # How many ended while all of the limit was in use.
    crowded: float = 0
    _seconds: float = 0.0
    _items: float = 0
    _squares: float = 0.0

    def add(self, seconds: float, items: float, crowded: int) -> None:
        """Add a request that succeeded: its latency, its items for each permit, its permits if all were in use."""
        self.succeeded += 1
        self.crowded += crowded
        self._seconds += seconds
        self._items += items
        self._squares += (seconds / items) ** 2

    def absorb(self, later: Sample, memory: float = 1.0) -> None:
        """Add another sample of the same limit; what was measured before counts ``memory`` times as much."""
        self.succeeded = self.succeeded * memory + later.succeeded
        self._seconds = self._seconds * memory + later._seconds
        self._items = self._items * memory + later._items
        self._squares = self._squares * memory + later._squares

    @property
    def used(self) -> bool:
        """Whether most requests ended while all of the limit was in use; else they say nothing about it."""
        return self.crowded > 0.5 * self.size

    @property
    def latency(self) -> float:
        """Mean seconds per item, never 0."""
        return max(self._seconds, 1e-9) / self._items

    @property
    def deviation(self) -> float:
        """Standard deviation of the latency, relative to its mean."""
        variance = self._squares / self.succeeded - self.latency**2
        return max(LEAST_DEVIATION, math.sqrt(variance) / self.latency if variance > 0 else 0.0)

    @property
    def error(self) -> float:
        """Standard error of the mean latency, relative to it."""
        return self.deviation / math.sqrt(self.succeeded)
