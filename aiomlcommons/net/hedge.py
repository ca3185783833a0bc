"""Hedged requests: where the first one is slow, a second one is sent elsewhere, and the first response counts.

The tail at scale: https://research.google/pubs/the-tail-at-scale/
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from numbers import Real
from typing import Generic, TypeVar

import anyio
import attrs

from aiomlcommons.errors import MLCommonsError
from aiomlcommons.net import rules
from aiomlcommons.net.retry_budget import RetryBudget
from aiomlcommons.net.rules import Rule

T = TypeVar("T")
# Hedges that calls without one may have saved up.
MOST = 10.0


@attrs.frozen
class Hedge:
    """Send a second request for a prediction that has no response after ``after`` seconds; the first response counts.

    The second one goes to another node, if there is one, and the slower one is cancelled. Choose ``after`` so that few
    predictions take as long, such as their 95th percentile.

    Args:
        after: Seconds without a response, more than 0.
        cap: The largest share of predictions that get a second request, 0 to 1: a cluster that is slow as a whole
            must not get twice the load. 0 turns hedging off. Default: 0.05.
    """

    after: float = attrs.field(validator=Rule((Real,), "a number of seconds above 0", rules.LIMIT.holds))
    cap: float = attrs.field(default=0.05, validator=Rule((Real,), "a share from 0 to 1", lambda cap: 0 <= cap <= 1))


def as_hedge(value: Hedge | float | None) -> Hedge | None:
    """Return a Hedge as it is; a number is its ``after``."""
    return value if value is None or isinstance(value, Hedge) else Hedge(value)


def hedges() -> RetryBudget:
    """Return the bucket of the hedges of a session: each prediction earns its ``cap``, each hedge costs 1."""
    return RetryBudget(capacity=MOST, cost=1.0, tokens=0.0)


@attrs.define
class _Run(Generic[T]):
    """A request that runs. A response ends the race; a failure that another node may not have leaves it open."""

    result: T | None = None
    error: Exception | None = None
    ended: bool = False

    @property
    def is_response(self) -> bool:
        return self.ended and not (isinstance(self.error, MLCommonsError) and self.error.transient)

    def outcome(self) -> T:
        if not self.ended:  # by a CancelledError of its own, which ends a task group quietly
            raise anyio.get_cancelled_exc_class()
        if self.error is not None:
            raise self.error
        return self.result  # type: ignore[return-value]  # T itself may be an optional type


async def race(send: Callable[[bool], Awaitable[T]], after: float, may_hedge: Callable[[], bool]) -> T:
    """Return the response of ``send(False)``, or of ``send(True)`` if that is sooner: it begins ``after`` seconds.

    If neither gets a response, the error of the second one is raised. The slower one is cancelled, and has ended before
    this returns.
    """
    runs: list[_Run[T]] = []
    changed = anyio.Event()

    async def run(one: _Run[T]) -> None:
        try:
            one.result = await send(one is not runs[0])
        except Exception as error:
            one.error = error
        one.ended = True
        changed.set()

    async with anyio.create_task_group() as group:
        runs.append(_Run())
        group.start_soon(run, runs[0])
        with anyio.move_on_after(after):
            await changed.wait()
        if not changed.is_set() and may_hedge():
            runs.append(_Run())
            group.start_soon(run, runs[1])
        while not _is_over(runs):
            changed = anyio.Event()
            await changed.wait()
        group.cancel_scope.cancel()
    return next((run for run in runs if run.is_response), runs[-1]).outcome()


def _is_over(runs: list[_Run[T]]) -> bool:
    return any(run.is_response for run in runs) or all(run.ended for run in runs)
