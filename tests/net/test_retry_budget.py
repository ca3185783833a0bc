"""Retry budget: a token bucket that retries drain and successes refill."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiomlcommons.errors import MLCommonsError
from aiomlcommons.net.retry_budget import RetryBudget, pause_for


def test_a_new_budget_pays_for_a_hundred_retries() -> None:
    budget = RetryBudget()
    assert [budget.take() for _ in range(101)] == [True] * 100 + [False]
    assert (budget.tokens, budget.spent, budget.denied) == (0, 100, 1)


def test_a_budget_of_three_retries_pays_for_three() -> None:
    budget = RetryBudget.of(3)
    assert [budget.take() for _ in range(4)] == [True] * 3 + [False]


def test_a_throttled_request_costs_a_fifth() -> None:
    budget = RetryBudget(capacity=10)
    assert [budget.take(throttled=True) for _ in range(11)] == [True] * 10 + [False]


def test_successes_earn_a_retry_again() -> None:
    budget = RetryBudget(capacity=5)
    assert budget.take()
    for _ in range(4):
        budget.succeeded()
        assert not budget.take()
    budget.succeeded()
    assert budget.take()


@settings(derandomize=True, max_examples=200, deadline=None, database=None)
@given(
    capacity=st.floats(0, 100),
    steps=st.lists(st.sampled_from(["take", "throttled", "succeeded"]), max_size=300),
)
def test_no_more_is_spent_than_there_was_and_was_earned(capacity: float, steps: list[str]) -> None:
    budget = RetryBudget(capacity=capacity)
    paid = 0.0
    for step in steps:
        if step == "succeeded":
            budget.succeeded()
        elif budget.take(throttled=step == "throttled"):
            paid += 1 if step == "throttled" else 5
        assert 0 <= budget.tokens <= capacity
    assert paid <= capacity + steps.count("succeeded") + 1e-6


@pytest.mark.parametrize(("asked", "delay", "pause"), [(None, 2, 2), (0.5, 2, 2), (30, 2, 30), (0.0, 0, 0)])
def test_the_server_may_ask_for_a_longer_pause(asked: float | None, delay: float, pause: float) -> None:
    error = MLCommonsError()
    error.retry_after = asked
    assert pause_for(error, delay) == pause
