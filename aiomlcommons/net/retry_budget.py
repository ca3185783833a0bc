"""Retry token bucket, as in botocore's standard retry mode: a budget that many calls share, against retry storms."""

from __future__ import annotations

import attrs

from aiomlcommons.errors import MLCommonsError
from aiomlcommons.net.backoff import Backoff

# As in botocore's retry quota.
CAPACITY, COST, REWARD = 500.0, 5.0, 1.0
# While the budget is empty, a server is probed so many times per longest backoff pause.
PROBES = 10


@attrs.define
class RetryBudget:
    """A token bucket that many calls share: each retry costs ``cost``, each success returns ``reward``.

    When it is empty, ``take`` denies retries until requests have succeeded again. Retrying a throttled request costs a
    fifth, because the server refused it before doing any work. ``spent`` counts retries granted, ``denied`` those not.
    It begins full, unless ``tokens`` says otherwise.
    """

    capacity: float = CAPACITY
    cost: float = COST
    reward: float = REWARD
    tokens: float = attrs.field(default=attrs.Factory(lambda self: self.capacity, takes_self=True))
    spent: int = attrs.field(init=False, default=0)
    denied: int = attrs.field(init=False, default=0)

    @classmethod
    def of(cls, retries: float) -> RetryBudget:
        """Return a budget that grants ``retries`` retries before the first success."""
        return cls(capacity=COST * retries)

    def take(self, *, throttled: bool = False) -> bool:
        """Take the tokens for one retry; return False if too few are left."""
        price = self.cost / 5 if throttled else self.cost
        if self.tokens < price:
            self.denied += 1
            return False
        self.tokens -= price
        self.spent += 1
        return True

    def succeeded(self) -> None:
        """Return tokens for a request that succeeded, up to the capacity."""
        self.earn(self.reward)

    def earn(self, tokens: float) -> None:
        """Add tokens, up to the capacity."""
        self.tokens = min(self.capacity, self.tokens + tokens)


def pause_for(error: MLCommonsError, delay: float) -> float:
    """Return the seconds to wait before a retry: ``delay``, or the server's Retry-After if that is longer."""
    return max(delay, error.retry_after or 0.0)


def pause_between_probes(backoff: Backoff) -> float:
    """Return the seconds between two probes of a server, while no budget pays for more; a Backoff of 0 s has none."""
    return backoff.cap / PROBES if backoff.first else 0.0
