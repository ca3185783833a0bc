"""Tracker: in whatever order rows are settled, none is settled by mistake, and a resume misses none."""

from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from aiomlcommons.ingest.rows.tracking import Tracker

ROWS = 60
quick = settings(derandomize=True, max_examples=300, deadline=None, database=None)


@st.composite
def orders(draw: st.DrawFn) -> list[list[int]]:
    """Draw all rows in any order, in groups, some of them more than once."""
    rows = draw(st.permutations(range(ROWS)))
    again = draw(st.lists(st.integers(0, ROWS - 1), max_size=20))
    mixed = [*rows, *again]
    cuts = sorted(draw(st.sets(st.integers(1, len(mixed) - 1), max_size=20)))
    return [mixed[first:last] for first, last in zip([0, *cuts], [*cuts, len(mixed)], strict=True)]


def rows_of(runs: list[tuple[int, int]]) -> list[int]:
    return [row for first, last in runs for row in range(first, last + 1)]


@quick
@given(orders())
def test_it_knows_exactly_the_rows_that_are_done(order: list[list[int]]) -> None:
    tracker, done = Tracker(), set[int]()
    for rows in order:
        tracker.done(rows)
        done.update(rows)
        assert {row for row in range(ROWS + 5) if row in tracker} == done
        assert {*range(tracker.below), *rows_of(tracker.beyond)} == done
    assert (tracker.below, tracker.beyond) == (ROWS, [])


@quick
@given(orders())
def test_below_is_the_first_gap_and_beyond_are_whole_runs_after_it(order: list[list[int]]) -> None:
    tracker = Tracker()
    for rows in order:
        tracker.done(rows)
        assert tracker.below not in tracker
        before = tracker.below
        for first, last in tracker.beyond:
            assert before < first <= last
            before = last + 1  # adjacent runs would be one


@quick
@given(orders(), st.integers(1, 7), st.data())
def test_reading_goes_on_at_no_later_than_the_first_row_that_is_not_done(
    order: list[list[int]], size: int, data: st.DataObject
) -> None:
    tracker, read = Tracker(), 0
    done = set[int]()
    for rows in order:
        needed = max(rows) if rows else 0
        while read <= needed or (data.draw(st.booleans()) and read < ROWS):
            tracker.read(read, f"position {read}")
            read += size
        tracker.done(rows)
        done.update(rows)
        start, position = tracker.resume_from()
        assert position == f"position {start}"
        assert set(range(start)) <= done
        # Nor is it earlier than necessary: not all rows read with it are done.
        assert start + size > tracker.below or start + size >= read


@quick
@given(orders(), st.integers(0, 100))
def test_what_a_checkpoint_keeps_of_it_is_all_of_it(order: list[list[int]], moment: int) -> None:
    tracker = Tracker()
    for rows in order[: moment % len(order)]:
        tracker.done(rows)
    again = Tracker(tracker.below, tracker.beyond)
    assert [row in again for row in range(ROWS)] == [row in tracker for row in range(ROWS)]
    again.done(range(ROWS))
    assert (again.below, again.beyond) == (ROWS, [])


@quick
@given(st.integers(1, 20), st.integers(0, 100))
def test_memory_is_bounded_by_what_is_under_way(window: int, seed: int) -> None:
    tracker, under_way = Tracker(), list[int]()
    chance = random.Random(seed)  # noqa: S311
    for row in range(500):
        tracker.read(row, None)
        under_way.append(row)
        # The oldest is settled when the window is full; else any.
        if under_way[0] <= row - window:
            tracker.done([under_way.pop(0)])
        elif chance.random() < 0.5:
            tracker.done([under_way.pop(chance.randrange(len(under_way)))])
        assert len(tracker._single) + len(tracker._ranges) <= window
        assert len(tracker._positions) <= window + 2


def test_rows_that_are_done_again_take_no_memory() -> None:
    tracker = Tracker(below=100)
    tracker.done(range(100))
    assert (tracker.below, tracker.beyond, len(tracker._ranges), len(tracker._single)) == (100, [], 0, 0)


def test_rows_that_were_done_before_take_none_while_they_are_read_over() -> None:
    tracker = Tracker(below=10_000)
    for row in range(0, 10_000, 10):
        tracker.read(row, row)
    assert len(tracker._positions) == 1
    assert tracker.resume_from() == (9990, 9990)


def test_before_anything_is_read_the_place_is_the_beginning() -> None:
    assert Tracker(below=5).resume_from() == (0, None)


def test_a_row_is_not_missed_while_another_thread_moves_it_below() -> None:
    """Another thread settles a row just before the set is read, and reads it while a row is removed."""

    class Rows(set[int]):
        def __contains__(self, row: object) -> bool:
            if row == 5 and tracker.below == 0:
                tracker.done([0])
            return super().__contains__(row)

        def remove(self, row: int) -> None:
            assert row in tracker
            super().remove(row)
            assert row in tracker

    tracker = Tracker()
    tracker._single = Rows(range(1, 10))
    assert 5 in tracker
    assert tracker.below == 10
