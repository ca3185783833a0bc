"""Batching: every row ends in exactly one batch, as a document, a dead letter, a duplicate, or skipped."""

from __future__ import annotations

import uuid
from collections.abc import Generator, Sequence
from typing import Any

import attrs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiomlcommons.ingest.rows.batch_size import BatchSize
from aiomlcommons.ingest.rows.batching import SETTLED, Batch, Batcher, RowPredicate, Screen, scattered
from aiomlcommons.ingest.rows.checked_rows import CheckedRows
from aiomlcommons.ingest.rows.checking import IdOf, RowChecker, TextOf, by_field, id_by
from aiomlcommons.ingest.rows.tracking import Tracker
from aiomlcommons.ingest.state.dead_letters import DeadLetter
from aiomlcommons.ingest.state.seen_ids import SeenIds
from aiomlcommons.ingest.types import BadRow, Refused, Row, Rows

BAD = BadRow("is not JSON", "a.jsonl, line 3", "{")


@attrs.define
class Work:
    """A batcher, and all batches that it returned."""

    batcher: Batcher
    batches: list[Batch] = attrs.field(factory=list)

    def add(self, rows: Sequence[Any], start: int = 0) -> list[Batch]:
        full = self.batcher.add(Rows(start, rows, None))
        self.batches += full
        return full

    def end(self) -> list[Batch]:
        if self.batcher.pending:
            self.batches += self.batcher.flush()
        return self.batches


@pytest.fixture
def seen() -> Generator[SeenIds]:
    seen = SeenIds(None)
    yield seen
    seen.close()


def working(
    seen: SeenIds,
    *,
    text_of: TextOf = by_field("text"),  # noqa: B008
    id_of: IdOf = id_by("id"),  # noqa: B008
    tracker: Tracker | None = None,
    count: int = 64,
    most_bytes: int = 1_000_000,
    max_chars: int | None = None,
    unchanged: RowPredicate | None = None,
    alike: int = 1,
    refused: Screen | None = None,
) -> Work:
    def duplicates(documents: CheckedRows) -> list[int]:
        return seen.duplicates(documents.keys, documents.origins)

    check, sizes = RowChecker(text_of, id_of, max_chars), BatchSize(count, most_bytes)
    return Work(Batcher(check, tracker or Tracker(), sizes, duplicates, unchanged, alike, refused))


def good(number: int, text: str = "some text") -> dict[str, Any]:
    return {"id": f"d{number}", "text": text}


def only(work: Work) -> Batch:
    (batch,) = work.end()
    return batch


# ---- invalid rows ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "key", "why"),
    [
        (BAD, None, "a.jsonl, line 3: is not JSON"),
        ({"text": "one"}, None, "it has no field 'id'"),
        ({"id": "", "text": "one"}, None, "its id must be text or a whole number, not ''"),
        ({"id": None, "text": "one"}, None, "its id must be text or a whole number, not None"),
        ({"id": 1.5, "text": "one"}, None, "its id must be text or a whole number, not 1.5"),
        ({"id": True, "text": "one"}, None, "its id must be text or a whole number, not True"),
        ({"id": ["a"], "text": "one"}, None, "its id must be text or a whole number, not ['a']"),
        ({"id": "a\ud800", "text": "one"}, None, "its id has a lone surrogate at character 1: not valid Unicode"),
        ({"id": "a"}, "a", "it has no field 'text'"),
        ({"id": 5}, "5", "it has no field 'text'"),
        ({"id": "a", "text": ""}, "a", "its text is empty"),
        ({"id": "a", "text": " \t\n\u3000"}, "a", "its text is empty"),
        ({"id": "a", "text": None}, "a", "its text must be a string, not NoneType"),
        ({"id": "a", "text": 7}, "a", "its text must be a string, not int"),
        ({"id": "a", "text": ["one"]}, "a", "its text must be a string, not list"),
        ({"id": "a", "text": b"one"}, "a", "its text must be a string, not bytes"),
        ({"id": "a", "text": "x" * 1001}, "a", "its text has 1,001 characters, more than max_chars=1,000"),
        ({"id": "a", "text": "ab\udfff"}, "a", "its text has a lone surrogate at character 2: not valid Unicode"),
    ],
)
def test_a_bad_row_is_a_dead_letter_with_the_reason_and_the_next_row_continues(
    seen: SeenIds, row: Any, key: str | None, why: str
) -> None:
    work = working(seen, max_chars=1000)
    work.add([good(0), row, good(2)])
    batch = only(work)
    assert (batch.numbers, batch.ids, batch.settled, batch.deduplicated) == ([0, 2], ["d0", "d2"], [1], 0)
    assert batch.dead_letters == [DeadLetter(1, key, why, row)]


@pytest.mark.parametrize("row", [None, 7, "text and id", ["id", "text"]])
def test_a_row_that_has_no_fields_is_a_dead_letter_too(seen: SeenIds, row: Any) -> None:
    work = working(seen)
    work.add([good(0), row])
    (dead_letter,) = only(work).dead_letters
    assert (dead_letter.row, dead_letter.document) == (1, row)
    assert dead_letter.why


@pytest.mark.parametrize(
    ("text_of", "why"),
    [
        (lambda row: row["title"], "KeyError('title')"),
        (lambda row: row["parts"][3], "list index out of range"),
        (lambda row: row["none"].strip(), "'NoneType' object has no attribute 'strip'"),
        (lambda row: int(row["id"]), "invalid literal for int() with base 10: 'a'"),
        (lambda row: row["none"] + "x", "unsupported operand type(s) for +: 'NoneType' and 'str'"),
        (lambda row: [][0] if row else next(iter(row)), "list index out of range"),
    ],
)
def test_what_a_function_of_the_caller_makes_of_a_row_is_its_reason(seen: SeenIds, text_of: TextOf, why: str) -> None:
    work = working(seen, text_of=text_of)
    work.add([{"id": "a", "parts": [], "none": None}])
    assert [(one.id, one.why) for one in only(work).dead_letters] == [("a", why)]


def test_an_error_without_words_is_named(seen: SeenIds) -> None:
    def wordless(_: Any) -> Any:
        raise ValueError

    work = working(seen, text_of=wordless)
    work.add([good(1)])
    assert only(work).dead_letters[0].why == "ValueError()"


def test_a_mistake_of_the_caller_that_has_nothing_to_do_with_a_row_is_raised(seen: SeenIds) -> None:
    def broken(_: Any) -> Any:
        raise MemoryError

    with pytest.raises(MemoryError):
        working(seen, text_of=broken).add([good(1)])


def test_texts_of_just_the_limit_are_taken(seen: SeenIds) -> None:
    work = working(seen, max_chars=5)
    work.add([good(0, "12345"), good(1, "日本語の字")])
    assert only(work).texts == ["12345", "日本語の字"]


@pytest.mark.parametrize("key", [np.int64(5), np.uint8(5), np.array(5), np.str_("5")], ids=repr)
def test_whole_numbers_of_numpy_are_ids(key: Any) -> None:
    assert RowChecker(by_field("text"), id_by("id"))(0, {"id": key, "text": "one"}).id == "5"


def test_a_uuid_as_databases_give_it_is_an_id() -> None:
    key = uuid.UUID("0123456789abcdef0123456789abcdef")
    assert RowChecker(by_field("text"), id_by("id"))(0, {"id": key, "text": "one"}).id == str(key)


@pytest.mark.parametrize("key", [np.True_, np.float64(5), np.array([5]), np.array(["a", "b"]), np.datetime64("2026")])
def test_other_values_of_numpy_are_not(key: Any) -> None:
    assert "its id must be text or a whole number" in RowChecker(by_field("text"), id_by("id"))(0, {"id": key}).why


def test_whole_numbers_are_ids_and_so_are_the_rows_own(seen: SeenIds) -> None:
    work = working(seen)
    work.add([{"id": 0, "text": "a"}, {"id": 2**80, "text": "b"}])
    assert only(work).ids == ["0", str(2**80)]
    numbered = working(seen, id_of=id_by(None))
    numbered.add([{"text": "a"}, {"text": "b"}], start=7)
    assert only(numbered).ids == ["7", "8"]


# ---- duplicates ------------------------------------------------------------------------------------------------------


def test_the_first_row_with_an_id_stands_and_later_ones_are_duplicates(seen: SeenIds) -> None:
    work = working(seen)
    work.add([good(1, "first"), good(1, "second"), good(2), {"id": "7", "text": "a"}, {"id": 7, "text": "b"}])
    work.add([good(2), good(1), good(3)], start=5)
    batch = only(work)
    assert (batch.ids, batch.texts[0]) == (["d1", "d2", "7", "d3"], "first")
    assert (batch.settled, batch.deduplicated, batch.dead_letters) == ([1, 4, 5, 6], 4, [])


def test_a_bad_row_does_not_take_its_id_from_a_good_one(seen: SeenIds) -> None:
    work = working(seen)
    work.add([{"id": "a", "text": ""}, {"id": "a", "text": "good"}])
    batch = only(work)
    assert (batch.ids, batch.texts, len(batch.dead_letters), batch.deduplicated) == (["a"], ["good"], 1, 0)


def test_rows_that_are_read_again_are_no_duplicates(seen: SeenIds) -> None:
    for _ in range(2):
        work = working(seen)
        work.add([good(1), good(2), good(1)])
        assert (only(work).ids, only(work).deduplicated) == (["d1", "d2"], 1)


def test_rows_that_are_dealt_with_are_left_out(seen: SeenIds) -> None:
    work = working(seen, tracker=Tracker(12, [(14, 15)]))
    work.add([good(number) for number in range(10, 18)], start=10)
    batch = only(work)
    assert (batch.numbers, batch.ids, batch.settled) == ([12, 13, 16, 17], ["d12", "d13", "d16", "d17"], [])


# ---- limits ----------------------------------------------------------------------------------------------------------


def test_a_batch_is_full_with_so_many_documents(seen: SeenIds) -> None:
    work = working(seen, count=3)
    assert [batch.ids for batch in work.add([good(number) for number in range(7)])] == [
        ["d0", "d1", "d2"],
        ["d3", "d4", "d5"],
    ]
    assert [batch.ids for batch in work.add([good(7), good(8)], start=7)] == [["d6", "d7", "d8"]]
    assert not work.batcher.pending


def test_batches_are_numbered_in_their_order(seen: SeenIds) -> None:
    work = working(seen, count=2)
    work.add([good(number) for number in range(5)])
    work.end()
    work.add([good(number) for number in range(5, 8)], start=5)
    assert [batch.index for batch in work.end()] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(("text", "size"), [("x" * 30, 30), ("é" * 15, 30), ("日" * 10, 30), ("\U0001f600" * 8, 32)])
def test_a_batch_is_full_with_so_many_bytes_of_text(seen: SeenIds, text: str, size: int) -> None:
    work = working(seen, most_bytes=100)
    work.add([good(number, text) for number in range(7)])
    assert [(len(batch), batch.size) for batch in work.end()] == [(3, 3 * size), (3, 3 * size), (1, size)]


def test_a_batch_of_exactly_its_bytes_is_handed_on_at_once(seen: SeenIds) -> None:
    work = working(seen, most_bytes=10)
    assert [batch.size for batch in work.add([good(0, "12345"), good(1, "67890")])] == [10]


def test_a_text_that_is_longer_than_a_batch_is_one_alone(seen: SeenIds) -> None:
    work = working(seen, most_bytes=10)
    work.add([good(0, "ab"), good(1, "x" * 50), good(2, "cd")])
    assert [batch.ids for batch in work.end()] == [["d0"], ["d1"], ["d2"]]


def test_no_batch_is_empty_because_the_first_text_is_long(seen: SeenIds) -> None:
    work = working(seen, most_bytes=10)
    assert [batch.ids for batch in work.add([good(0, "x" * 50)])] == [["d0"]]


def test_rows_that_are_no_documents_do_not_pile_up_either(seen: SeenIds) -> None:
    work = working(seen, count=4)
    work.add([good(0)])
    for start in range(1, 1001, 10):
        work.add([good(0) if start % 20 == 1 else BAD] * 10, start=start)
        assert len(work.batcher._pending.settled) <= 4 * SETTLED
    assert len(work.end()) >= 1000 // (4 * SETTLED)
    assert sorted(row for batch in work.batches for row in [*batch.numbers, *batch.settled]) == list(range(1001))


def test_a_batch_waits_when_it_holds_a_document_or_a_dead_letter(seen: SeenIds) -> None:
    work = working(seen)
    waiting = [work.batcher.pending]
    for start, rows in ((0, []), (0, [BAD]), (1, [good(1)])):
        work.add(rows, start=start)
        waiting.append(work.batcher.pending)
        work.end()
    assert waiting == [False, False, True, True]


# ---- length bucketing ------------------------------------------------------------------------------------------------


def test_texts_of_like_length_travel_together_where_order_is_free(seen: SeenIds) -> None:
    work = working(seen, count=3, alike=2)
    work.add([good(number, "x" * length) for number, length in enumerate([5, 1, 9, 2, 8, 3])])
    assert [list(map(len, batch.texts)) for batch in work.batches] == [[1, 2, 3], [5, 8, 9]]
    assert [batch.ids for batch in work.batches] == [["d1", "d3", "d5"], ["d0", "d4", "d2"]]
    assert [batch.index for batch in work.batches] == [0, 1]


def test_batches_of_long_and_of_short_texts_alternate(seen: SeenIds) -> None:
    work = working(seen, count=1, alike=8)
    work.add([good(number, "x" * (number + 1)) for number in range(8)])
    assert [len(batch.texts[0]) for batch in work.batches] == [1, 5, 3, 7, 2, 6, 4, 8]
    assert [batch.index for batch in work.batches] == list(range(8))


@pytest.mark.parametrize("count", range(20))
def test_no_number_is_lost_when_they_are_scattered(count: int) -> None:
    assert sorted(scattered(count)) == list(range(count))


def test_what_is_settled_goes_with_the_first_of_them(seen: SeenIds) -> None:
    work = working(
        seen, count=2, alike=2, unchanged=lambda known: [i for i, key in enumerate(known.ids) if key == "d4"]
    )
    work.add([good(0, "xxx"), BAD, good(0), good(3, "x"), good(4)])
    batches = work.end()
    assert [(batch.ids, batch.settled) for batch in batches] == [(["d3", "d0"], [1, 2, 4])]
    assert (len(batches[0].dead_letters), batches[0].deduplicated, batches[0].skipped) == (1, 1, 1)


def test_a_batch_is_smaller_as_soon_as_the_server_takes_no_more(seen: SeenIds) -> None:
    work = working(seen, count=4)
    work.add([good(0)])
    work.batcher.sizes.too_many(4)
    assert [len(batch) for batch in work.add([good(n) for n in range(1, 5)], start=1)] == [2, 2]


# ---- unchanged documents ---------------------------------------------------------------------------------------------


def test_a_document_that_was_written_before_with_its_text_is_skipped(seen: SeenIds) -> None:
    asked: list[str] = []

    def unchanged(known: CheckedRows) -> list[int]:
        asked.extend(known.ids)
        return [i for i, text in enumerate(known.texts) if text == "old"]

    work = working(seen, unchanged=unchanged)
    work.add([good(0, "old"), good(1, "new"), good(0, "new"), BAD])
    batch = only(work)
    assert (batch.ids, batch.skipped, batch.deduplicated, len(batch.dead_letters)) == (["d1"], 1, 1, 1)
    assert asked == ["d0", "d1"]  # the second d0 is a duplicate, whatever its text


# ---- properties ------------------------------------------------------------------------------------------------------

some_rows = st.one_of(
    st.builds(good, st.integers(0, 12), st.sampled_from(["a", "text", "日本語", "x" * 40])),
    st.sampled_from([BAD, {}, {"id": "d1"}, {"text": "x"}, {"id": None, "text": "x"}, {"id": "d2", "text": " "}]),
)


def test_what_the_sink_cannot_hold_is_a_dead_letter_and_nothing_else_is_asked_about(seen: SeenIds) -> None:
    asked: list[list[str]] = []

    def refused(ids: Sequence[str], rows: Sequence[Row]) -> list[Refused]:
        asked.append(list(ids))
        assert [row["id"] for row in rows] == list(ids)
        return [Refused(i, f"its field 'price' of {key}") for i, key in enumerate(ids) if key in {"d1", "d3"}]

    work = working(seen, refused=refused, unchanged=lambda known: [i for i, key in enumerate(known.ids) if key == "d2"])
    work.add([good(0), BAD, good(1), good(0), good(2), good(3), {"id": "d4"}], start=10)
    batch = only(work)
    assert asked == [["d0", "d1", "d3"]]
    assert (batch.ids, batch.deduplicated, batch.skipped) == (["d0"], 1, 1)
    assert [(one.row, one.id, one.why) for one in batch.dead_letters if "price" in one.why] == [
        (12, "d1", "its field 'price' of d1"),
        (15, "d3", "its field 'price' of d3"),
    ]
    assert sorted(batch.settled) == [11, 12, 13, 14, 15, 16]


@settings(derandomize=True, max_examples=200, deadline=None, database=None)
@given(
    calls=st.lists(st.lists(some_rows, max_size=12), max_size=8),
    count=st.integers(1, 5),
    most_bytes=st.integers(1, 60),
    done=st.sets(st.integers(0, 60)),
    same=st.sets(st.sampled_from(["a", "text", "日本語"])),
    alike=st.sampled_from([1, 3]),
)
def test_every_row_ends_in_exactly_one_batch(
    calls: list[list[Any]], count: int, most_bytes: int, done: set[int], same: set[str], alike: int
) -> None:
    seen, tracker = SeenIds(None), Tracker()
    tracker.done(done)
    options: Any = {"count": count, "most_bytes": most_bytes, "max_chars": 30, "alike": alike}
    work = working(
        seen,
        tracker=tracker,
        unchanged=lambda known: [i for i, text in enumerate(known.texts) if text in same],
        **options,
    )
    rows: list[Any] = []
    for call in calls:
        work.add(call, start=len(rows))
        rows += call
    batches = work.end()
    seen.close()
    assert sorted(row for one in batches for row in [*one.numbers, *one.settled]) == sorted({*range(len(rows))} - done)
    assert [one.index for one in batches] == list(range(len(batches)))
    for one in batches:
        check(one, rows)
        assert one.numbers or one.settled
        assert len(one) <= count
        assert sum(len(text.encode()) for text in one.texts) <= most_bytes or len(one) == 1
        assert not same.intersection(one.texts)
    ids = [key for one in batches for key in one.ids]
    assert len(ids) == len(set(ids))


def check(batch: Batch, rows: list[Any]) -> None:
    """Check that the lists are parallel and each settled row is accounted for once."""
    assert batch.rows == [rows[number] for number in batch.numbers]
    assert batch.ids == [row["id"] for row in batch.rows]
    assert batch.texts == [row["text"] for row in batch.rows]
    assert len(batch.settled) == len(batch.dead_letters) + batch.deduplicated + batch.skipped
    assert {one.row for one in batch.dead_letters} <= set(batch.settled)
    assert all(one.document is rows[one.row] and one.why for one in batch.dead_letters)


def test_a_part_of_a_batch_is_some_of_its_documents_and_nothing_that_is_settled(seen: SeenIds) -> None:
    work = working(seen)
    work.add([good(0), BAD, good(2), good(3)])
    part = only(work).part([1, 2])
    assert (part.numbers, part.ids, len(part.rows), len(part.texts)) == ([2, 3], ["d2", "d3"], 2, 2)
    assert (part.settled, part.dead_letters) == ([], [])


def test_a_document_that_cannot_be_embedded_is_a_dead_letter(seen: SeenIds) -> None:
    work = working(seen)
    work.add([good(0), good(1)])
    assert only(work).fail(1, "why not") == DeadLetter(1, "d1", "why not", good(1))
