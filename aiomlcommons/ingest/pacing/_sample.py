"""Latency samples of the concurrency limiter."""

from __future__ import annotations

import math

import attrs


@attrs.define(eq=False)
class Sample:
    """A cohort of ``size`` requests sent one after another, and their latencies; complete when all have ended.

    Evaluating the first responses alone would be biased: they are the fast ones.
    """

    size: int
    epoch: int = 0
    begun: int = 0
    ended: int = 0
    succeeded: int = 0
    _seconds: float = 0.0
    _items: int = 0
    _in_flight: int = 0
    _squares: float = 0.0

    def add(self, seconds: float, items: int, in_flight: int) -> None:
        """Add a request that succeeded: its latency, its size, and how many were in flight when it was sent."""
        self.succeeded += 1
        self._seconds += seconds
        self._items += items
        self._in_flight += in_flight
        self._squares += (seconds / items) ** 2

    @property
    def latency(self) -> float:
        """Mean seconds per item, never 0."""
        return max(self._seconds, 1e-9) / self._items

    @property
    def in_flight(self) -> float:
        """Mean number of requests in flight."""
        return self._in_flight / self.succeeded

    @property
    def deviation(self) -> float:
        """Standard deviation of the latency, relative to its mean."""
        variance = self._squares / self.succeeded - self.latency**2
        return math.sqrt(variance) / self.latency if variance > 0 else 0.0
