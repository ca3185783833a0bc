"""Many rows at once are checked as one by one: the same ids, texts and reasons, whatever the rows are."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from typing import Any, overload

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiomlcommons.ingest.rows.batch_size import BatchSize, size_of
from aiomlcommons.ingest.rows.batching import Batch, Batcher
from aiomlcommons.ingest.rows.checked_rows import check_rows
from aiomlcommons.ingest.rows.checking import RowChecker
from aiomlcommons.ingest.rows.tracking import Tracker
from aiomlcommons.ingest.sinks import CallableSink
from aiomlcommons.ingest.types import BadRow, Chunk, ColumnarRows, Row, Rows, TextRow, rows_for


class Word(str):
    """A string of another type."""

    __slots__ = ()


class Dict(dict[str, Any]):
    """A mapping that is no plain dict."""


usual_texts = st.sampled_from(["a", "some text", "日本語", " x\n", "long text of many words", "\U0001f600"])
odd_texts = st.sampled_from(["", " \t\u3000", "\x1c", "ab\ud800", "\udc00", None, 7, 1.5, b"x", ["x"], Word("w"), True])
usual_ids = st.one_of(st.integers(-3, 30), st.sampled_from(["a", "b7", "é", "0"]))
odd_ids = st.sampled_from(
    ["", None, True, 1.5, np.int64(5), np.str_("s"), uuid.UUID(int=5), "\ud800", Word("w"), Word(""), 10**5000, ["a"]]
)


def rows_with(texts: st.SearchStrategy[Any], ids: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.builds(lambda text, key: {"text": text, "id": key, "meta": {"title": text}}, texts, ids)


usual = rows_with(usual_texts, usual_ids)
odd = st.one_of(
    rows_with(odd_texts, usual_ids),
    rows_with(usual_texts, odd_ids),
    st.sampled_from([{}, {"id": "a"}, {"text": "a"}, None, 7, "text", BadRow("is not JSON", "a.jsonl, line 3", "{")]),
    st.builds(TextRow, text=usual_texts),
    st.builds(Dict, usual),
    st.builds(lambda row, n: Chunk(row, parent="p", number=n, text="chunk"), usual, st.integers(0, 2)),
)
blocks = st.one_of(
    st.lists(usual, max_size=12),
    st.lists(st.builds(TextRow, text=usual_texts), max_size=12),
    st.lists(st.one_of(usual, usual, usual, odd), max_size=12),
)
texts_of = st.sampled_from(
    ["text", "meta.title", "{text} {id}", "{meta.title}", "missing", lambda row: row["text"], lambda row: row["id"]]
)
ids_of = st.sampled_from(["id", "meta.title", "missing", None, lambda row: row["id"]])


@settings(derandomize=True, max_examples=300, deadline=None, database=None)
@given(blocks, texts_of, ids_of, st.sampled_from([None, 9]), st.booleans(), st.sets(st.integers(5, 16)))
def test_rows_are_checked_at_once_as_one_by_one(
    rows: list[Any],
    text: str | Callable[[Row], Any],
    key: str | Callable[[Row], Any] | None,
    max_chars: int | None,
    numbers: bool,
    left_out: set[int],
) -> None:
    check = RowChecker.of(text, key, max_chars, numbers=numbers)
    wanted: Sequence[int] = range(5, 5 + len(rows))
    wanted = [number for number in wanted if number not in left_out] if left_out else wanted
    found = check_rows(check, Rows(5, rows, None), wanted)
    expected = [check(number, rows[number - 5]) for number in wanted]
    valid = [one for one in expected if not one.why]
    assert list(found.numbers) == [one.number for one in valid]
    assert (found.ids, found.texts) == ([one.id for one in valid], [one.text for one in valid])
    assert all(row is one.row for row, one in zip(found.rows, valid, strict=True))
    assert all(type(key) is str for key in found.ids)
    assert found.sizes == [size_of(one.text) for one in valid]
    assert [(one.number, one.id, one.why) for one in found.faulty] == [
        (one.number, one.id, one.why) for one in expected if one.why
    ]
    for i, one in enumerate(valid):
        chunk = isinstance(one.row, Chunk)
        assert found.keys[i] == (one.row.parent if isinstance(one.row, Chunk) else one.id)
        assert found.origins[i] == (one.number - one.row.number if chunk else one.number)  # type: ignore[union-attr]


def test_a_function_of_the_caller_is_called_once_for_each_row() -> None:
    called: list[Any] = []

    def text(row: Row) -> Any:
        called.append(row["id"])
        return row["text"]

    check = RowChecker.of(text, "id", None)
    check_rows(check, Rows(0, [{"id": n, "text": "x" if n else ""} for n in range(5)], None), range(5))
    assert called == [0, 1, 2, 3, 4]


@attrs.frozen(eq=False)
class Columns(ColumnarRows):
    """Rows as columns, none of which can be made."""

    columns: dict[str, list[Any]]

    def column(self, name: str) -> list[Any] | None:
        return self.columns.get(name)

    def take(self, indices: Sequence[int]) -> Columns:
        return Columns({name: [column[i] for i in indices] for name, column in self.columns.items()})

    def __add__(self, others: Sequence[Row]) -> Sequence[Row]:
        assert isinstance(others, Columns)
        return Columns({name: column + others.columns[name] for name, column in self.columns.items()})

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> Columns: ...
    def __getitem__(self, index: int | slice) -> Row | Columns:
        if isinstance(index, slice):
            return Columns({name: column[index] for name, column in self.columns.items()})
        raise AssertionError("a row was made")


@pytest.mark.parametrize("wanted", [range(10), range(4, 10)])
def test_rows_that_are_kept_as_columns_stay_so_and_no_row_is_made(wanted: range) -> None:
    columns = Columns({"text": [f"text {n}" for n in range(10)], "id": list(range(10))})
    found = check_rows(RowChecker.of("text", "id", None), Rows(0, columns, None), wanted)
    assert (found.ids, found.numbers) == ([str(n) for n in wanted], wanted)
    assert isinstance(found.rows, Columns)
    assert found.rows.columns["text"] == found.texts


def test_batches_of_them_are_columns_too_also_over_what_is_read_at_once() -> None:
    batcher = Batcher(RowChecker.of("text", "id", None), Tracker(), BatchSize(4), lambda _: ())
    batches: list[Batch] = []
    for start in range(0, 12, 3):
        columns = Columns({"text": ["x"] * 3, "id": list(range(start, start + 3))})
        batches += batcher.add(Rows(start, columns, None))
    assert [list(batch.numbers) for batch in batches] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]
    for batch in batches:
        assert isinstance(batch.numbers, range)
        assert isinstance(batch.rows, Columns)
        assert list(map(str, batch.rows.columns["id"])) == batch.ids
        assert batch.part([2, 0]).rows.columns["id"] == [batch.numbers[2], batch.numbers[0]]  # type: ignore[attr-defined]


def test_a_sink_that_does_not_ask_for_columns_gets_a_list_of_rows() -> None:
    class Made(Columns):
        def __getitem__(self, index: Any) -> Any:
            return {name: column[index] for name, column in self.columns.items()}

    rows = Made({"text": ["a", "b"], "id": [1, 2]})
    sink: Any = CallableSink(lambda _: None)
    assert rows_for(sink, rows) == [{"text": "a", "id": 1}, {"text": "b", "id": 2}]
    sink.takes_columns = True
    assert rows_for(sink, rows) is rows
