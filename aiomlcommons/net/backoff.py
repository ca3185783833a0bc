"""Delays that grow: one value, shared by retries and by waiting for tasks."""

from __future__ import annotations

import random
from collections.abc import Iterator

import attrs


@attrs.frozen
class Backoff:
    """Seconds between attempts: ``first``, then ``factor`` times more each time, never above ``cap``.

    ``jitter`` is the share of each delay that is random (0 to 1), so that clients which failed together do not come
    back together. Iterating never ends; ``Backoff(first=0)`` waits not at all, which is what tests pass.
    """

    first: float = attrs.field(default=0.1, validator=attrs.validators.ge(0))
    factor: float = attrs.field(default=1.6, validator=attrs.validators.ge(1))
    cap: float = attrs.field(default=10.0, validator=attrs.validators.ge(0))
    jitter: float = attrs.field(default=0.5, validator=[attrs.validators.ge(0), attrs.validators.le(1)])

    def __iter__(self) -> Iterator[float]:
        delay = float(self.first)  # a product of floats never overflows, as a power would
        while True:
            delay = min(self.cap, delay)
            yield delay * (1 - self.jitter * random.random())  # noqa: S311 - spreading load is not cryptography
            delay *= self.factor

    def tries(self, most: int) -> Iterator[float | None]:
        """The pause after each of at most so many tries; after the last one there is None."""
        for _, delay in zip(range(most - 1), self, strict=False):
            yield delay
        yield None
