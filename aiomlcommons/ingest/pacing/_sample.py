"""Requests that are measured together."""

from __future__ import annotations

import math

import attrs


@attrs.define(eq=False)
class Sample:
    """``size`` requests begun one after the other, and what they took: judged when all are over.

    The first answers to come would not do, for they are the fast ones.
    """

    size: int
    epoch: int = 0
    begun: int = 0
    over: int = 0
    answered: int = 0
    _seconds: float = 0.0
    _items: int = 0
    _among: int = 0
    _squares: float = 0.0

    def add(self, seconds: float, items: int, among: int) -> None:
        """An answer: how long it took, how much work it was, how many requests were under way when it was asked."""
        self.answered += 1
        self._seconds += seconds
        self._items += items
        self._among += among
        self._squares += (seconds / items) ** 2

    @property
    def latency(self) -> float:
        """Seconds for an item, more than none."""
        return max(self._seconds, 1e-9) / self._items

    @property
    def among(self) -> float:
        """How many requests were under way."""
        return self._among / self.answered

    @property
    def noise(self) -> float:
        """The standard deviation of the latency, as a part of it."""
        variance = self._squares / self.answered - self.latency**2
        return math.sqrt(variance) / self.latency if variance > 0 else 0.0
