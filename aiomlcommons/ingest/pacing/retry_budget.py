"""How often a whole job may try again: a server in trouble must not be given more work by those who repeat theirs."""

from __future__ import annotations

import attrs

from aiomlcommons.errors import MLCommonsError

# The prices of botocore's standard retry quota, which this follows.
CAPACITY, COST, REWARD = 500.0, 5.0, 1.0


@attrs.define
class RetryBudget:
    """Tokens that all retries of a job share: each costs ``cost``, each success gives ``reward`` back.

    When they are used up nothing is repeated until something succeeds again. A throttled request costs a fifth: it was
    refused before it was any work. ``spent`` counts the retries that were paid for, ``denied`` those that were not.
    """

    capacity: float = CAPACITY
    cost: float = COST
    reward: float = REWARD
    tokens: float = attrs.field(init=False)
    spent: int = attrs.field(init=False, default=0)
    denied: int = attrs.field(init=False, default=0)

    @classmethod
    def of(cls, retries: float) -> RetryBudget:
        """A budget that pays for so many retries at once."""
        return cls(capacity=COST * retries)

    def __attrs_post_init__(self) -> None:
        self.tokens = self.capacity

    def take(self, *, throttled: bool = False) -> bool:
        """Pay for one retry; False where there is not enough left."""
        price = self.cost / 5 if throttled else self.cost
        if self.tokens < price:
            self.denied += 1
            return False
        self.tokens -= price
        self.spent += 1
        return True

    def succeeded(self) -> None:
        """Give a little back."""
        self.tokens = min(self.capacity, self.tokens + self.reward)


def pause_for(error: MLCommonsError, delay: float) -> float:
    """The pause before a try: what the server asks for, if that is longer."""
    return max(delay, error.retry_after or 0.0)
