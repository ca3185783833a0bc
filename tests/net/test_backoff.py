"""Exponential backoff: delays grow, stay within bounds and never end."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiomlcommons import Backoff


def delays(backoff: Backoff, count: int) -> list[float]:
    return list(itertools.islice(backoff, count))


def test_delays_grow_by_their_factor_up_to_the_cap() -> None:
    assert delays(Backoff(first=1, factor=2, cap=10, jitter=0), 6) == [1, 2, 4, 8, 10, 10]


def test_no_first_delay_is_no_delay_at_all() -> None:
    assert delays(Backoff(first=0), 100) == [0.0] * 100


def test_a_slow_growth_reaches_its_cap_too() -> None:
    assert delays(Backoff(first=1, factor=1.01, cap=10, jitter=0), 1000)[-1] == 10


def test_without_a_cap_whole_numbers_grow_for_as_long_as_one_likes() -> None:
    assert delays(Backoff(first=1, factor=2, cap=float("inf"), jitter=0), 10_000)[-1] == float("inf")


def test_every_iteration_begins_anew() -> None:
    backoff = Backoff(first=1, factor=2, jitter=0)
    assert delays(backoff, 3) == delays(backoff, 3) == [1, 2, 4]


def test_jitter_takes_no_more_than_its_share() -> None:
    found = delays(Backoff(first=8, factor=1, jitter=0.25), 1000)
    assert 6 <= min(found) < max(found) <= 8


def test_clients_that_failed_together_do_not_come_back_together() -> None:
    assert delays(Backoff(), 20) != delays(Backoff(), 20)


@settings(derandomize=True, max_examples=20, deadline=None, database=None)
@given(first=st.floats(0, 1e300), factor=st.floats(1, 1e300), cap=st.floats(0, 1e300), jitter=st.floats(0, 1))
def test_ten_thousand_delays_are_within_bounds(first: float, factor: float, cap: float, jitter: float) -> None:
    found = delays(Backoff(first=first, factor=factor, cap=cap, jitter=jitter), 10_000)
    assert min(found) >= min(first, cap) * (1 - jitter) * 0.999_999
    assert max(found) <= cap


@pytest.mark.parametrize("wrong", [{"first": -1}, {"factor": 0.9}, {"cap": -1}, {"jitter": 1.1}, {"jitter": -0.1}])
def test_what_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"Backoff.{next(iter(wrong))} must be"):
        Backoff(**wrong)
