"""Batch size: splitting texts into requests, and the limits shrinking after refusals."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiomlcommons.ingest.rows.batch_size import BatchSize, size_of


@pytest.mark.parametrize(
    ("texts", "parts"),
    [
        ([], []),
        (["a"], [["a"]]),
        (["a", "b", "c", "d"], [["a", "b", "c"], ["d"]]),
        (["aaaaaa", "bbbb", "c"], [["aaaaaa", "bbbb"], ["c"]]),
        (["a", "b" * 50, "c"], [["a"], ["b" * 50], ["c"]]),
        (["ééé", "ééé"], [["ééé"], ["ééé"]]),
    ],
)
def test_texts_are_cut_where_a_request_is_full(texts: list[str], parts: list[list[str]]) -> None:
    assert [texts[part] for part in BatchSize(3, 10).parts(texts)] == parts


@settings(derandomize=True, deadline=None, database=None)
@given(st.lists(st.text(max_size=12)), st.integers(1, 5), st.integers(1, 30))
def test_every_text_is_in_one_part(texts: list[str], count: int, most: int) -> None:
    parts = [texts[part] for part in BatchSize(count, most).parts(texts)]
    assert [text for part in parts for text in part] == texts
    assert all(len(part) <= count and (sum(map(size_of, part)) <= most or len(part) == 1) for part in parts)


def test_what_is_refused_halves_the_size_and_never_to_nothing() -> None:
    sizes = BatchSize(64, 1_000)
    sizes.too_many(64)
    sizes.too_large(["x" * 300] * 2)
    assert (sizes.count, sizes.most_bytes) == (32, 300)
    sizes.too_many(64)
    sizes.too_large(["x" * 900] * 2)
    assert (sizes.count, sizes.most_bytes) == (32, 300)
    for _ in range(10):
        sizes.too_many(sizes.count)
        sizes.too_large(["x" * sizes.most_bytes])
    assert (sizes.count, sizes.most_bytes) == (1, 1)


def test_a_limit_holds_at_once_for_parts_that_are_still_to_come() -> None:
    sizes = BatchSize(4)
    parts = sizes.parts(["a"] * 8)
    assert next(parts) == slice(0, 4)
    sizes.too_many(4)
    assert list(parts) == [slice(4, 6), slice(6, 8)]
