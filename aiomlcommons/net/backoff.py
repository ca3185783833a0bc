"""Exponential backoff with jitter, shared by retries and polling."""

from __future__ import annotations

import random
from collections.abc import Iterator
from numbers import Real

import attrs

from aiomlcommons.net.rules import SECONDS, Rule

_FACTOR = Rule((Real,), "a number of at least 1", lambda factor: factor >= 1)
_SHARE = Rule((Real,), "a number from 0 to 1", lambda share: 0 <= share <= 1)


@attrs.frozen
class Backoff:
    """Exponential backoff with jitter; iterating yields an endless series of delays in seconds.

    Args:
        first: The first delay, in seconds. Default: 0.1; 0 does not wait at all, which suits tests.
        factor: The growth from one delay to the next. Default: 1.6.
        cap: The maximum delay, in seconds. Default: 10.
        jitter: The share of each delay that is random, 0 to 1, so that clients that failed together do not retry
            together. Default: 0.5, a delay between half and all of the nominal one.
    """

    first: float = attrs.field(default=0.1, validator=SECONDS)
    factor: float = attrs.field(default=1.6, validator=_FACTOR)
    cap: float = attrs.field(default=10.0, validator=SECONDS)
    jitter: float = attrs.field(default=0.5, validator=_SHARE)

    def __iter__(self) -> Iterator[float]:
        delay = float(self.first)  # unlike a power, a repeated product does not raise OverflowError
        while True:
            delay = min(self.cap, delay)
            yield delay * (1 - self.jitter * random.random())  # noqa: S311 - spreading load is not cryptography
            delay *= self.factor

    def tries(self, attempts: int) -> Iterator[float | None]:
        """Yield the delay after each of a number of attempts; None after the last one."""
        for _, delay in zip(range(attempts - 1), self, strict=False):
            yield delay
        yield None
