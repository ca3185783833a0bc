"""Each document that failed is in the dead letter file once, with the reason, and can be read back."""

from __future__ import annotations

import contextlib
import datetime as dt
import tempfile
import threading
from collections.abc import Generator
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiomlcommons.ingest.sinks import SinkError
from aiomlcommons.ingest.sources import SourceError
from aiomlcommons.ingest.state.dead_letters import DeadLetter, DeadLetters, by_reason, documents
from aiomlcommons.ingest.state.dead_letters import read_dead_letters as read_back
from aiomlcommons.ingest.types import BadRow

# A device that is always full.
FULL = Path("/dev/full")
rows = st.dictionaries(st.text(max_size=5), st.none() | st.booleans() | st.integers(0, 9) | st.text(), max_size=4)


def letter(row: int, document: Any = None) -> DeadLetter:
    return DeadLetter(row, f"d{row}", "it failed", document if document is not None else {"id": f"d{row}"})


def read(path: Path) -> list[dict[str, Any]]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


@pytest.fixture
def letters(tmp_path: Path) -> Generator[DeadLetters]:
    letters = DeadLetters(tmp_path / "dead")
    letters.open(None)
    yield letters
    letters.close()


def test_a_dead_letter_has_the_row_the_id_the_reason_and_the_document(letters: DeadLetters) -> None:
    letters.write(
        [DeadLetter(7, "d7", "its text is empty", {"id": "d7", "text": ""}), DeadLetter(8, None, "no id", {"a": 1})]
    )
    letters.flush()
    assert read(letters.path) == [
        {"row": 7, "id": "d7", "why": "its text is empty", "document": {"id": "d7", "text": ""}},
        {"row": 8, "id": None, "why": "no id", "document": {"a": 1}},
    ]


def test_what_is_no_document_is_kept_and_not_tried_again(letters: DeadLetters) -> None:
    letters.write(
        [letter(1), DeadLetter(2, None, "a.jsonl, line 3: not JSON", BadRow("not JSON", "a.jsonl, line 3", "{"))]
    )
    letters.flush()
    assert read(letters.path)[1]["bad_row"] == {"why": "not JSON", "where": "a.jsonl, line 3", "raw": "{"}
    assert list(documents(letters.path)) == [{"id": "d1"}]


def test_a_reason_has_n_for_numbers_and_none_for_digits_of_a_word() -> None:
    why = "not UTF-8 but v2: 1,024 of -5 at line 7"
    assert DeadLetter(1, None, why, {}).reason == "not UTF-8 but v2: N of -N at line N"


def test_a_reason_does_not_quote_the_document() -> None:
    # As a server says it, with the id and the value of each document.
    words = (
        "mapper_parsing_exception: failed to parse field [year] of type [integer] in document with id '{}'. "
        "Preview of field's value: '{}'; number_format_exception: For input string: \"{}\""
    )
    one = DeadLetter(7, "d7", words.format("d7", "none", "none"), {"id": "d7", "year": "none"})
    other = DeadLetter(8, "d8", words.format("d8", "", ""), {"id": "d8", "year": ""})
    assert one.reason == other.reason == words.format("...", "...", "...")
    assert DeadLetter(7, "d7", "it has no field 'text'", {"id": "d7"}).reason == "it has no field 'text'"


def test_a_document_is_never_taken_for_a_bad_row(letters: DeadLetters) -> None:
    document = {"why": "a poem", "where": "here", "raw": "fish"}
    letters.write([letter(1, document), letter(2, {**document, "id": 2})])
    letters.flush()
    assert list(documents(letters.path)) == [document, {**document, "id": 2}]


def test_without_dead_letters_there_is_no_file(letters: DeadLetters) -> None:
    letters.write([])
    assert letters.flush() == [0, 0]
    assert not letters.path.exists()


def test_a_new_job_begins_with_no_dead_letters_and_loses_none(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for number in range(3):
        letters = DeadLetters(tmp_path / "dead")
        letters.open(None)
        assert not letters.path.exists()
        letters.write([letter(number)])
        letters.close()
    assert [read(tmp_path / name)[0]["row"] for name in ("dead.1", "dead.2", "dead")] == [0, 1, 2]
    assert "dead letters of an earlier job, which are in" in caplog.text


def test_an_empty_file_is_no_earlier_jobs(tmp_path: Path) -> None:
    (tmp_path / "dead").touch()
    DeadLetters(tmp_path / "dead").open(None)
    assert [path.name for path in tmp_path.iterdir()] == ["dead"]


def test_a_resumed_job_cuts_off_what_was_written_after_its_checkpoint(tmp_path: Path) -> None:
    path = tmp_path / "dead"
    first = DeadLetters(path)
    first.open(None)
    first.write([letter(1)])
    noted = first.flush()
    first.write([letter(2), letter(3)])
    first.close()
    again = DeadLetters(path)
    again.open(noted)
    again.write([letter(3)])
    assert again.flush()[0] == path.stat().st_size
    again.close()
    assert [one["row"] for one in read(path)] == [1, 3]


@pytest.mark.parametrize("noted", [[0, 0], [100, 7]])
def test_a_job_that_goes_on_without_its_file_makes_a_new_one(tmp_path: Path, noted: list[int]) -> None:
    letters = DeadLetters(tmp_path / "dead")
    letters.open(noted)
    letters.write([letter(1)])
    letters.close()
    assert [one["row"] for one in read(tmp_path / "dead")] == [1]


@pytest.mark.parametrize("others", [[], [letter(7)], [letter(7), letter(8), letter(9)]])
def test_what_another_job_wrote_is_not_cut(tmp_path: Path, others: list[DeadLetter]) -> None:
    path = tmp_path / "dead"
    first = DeadLetters(path)
    first.write([letter(1), letter(2)])
    noted = first.flush()
    first.close()
    path.write_bytes(b"".join(one.line() for one in others))
    before = path.read_bytes()
    with pytest.raises(SinkError, match="dead is not what this job wrote there: it was changed or removed since"):
        DeadLetters(path).open(noted)
    assert path.read_bytes() == before


def test_a_file_is_one_jobs(tmp_path: Path) -> None:
    path = tmp_path / "dead"
    first, second = DeadLetters(path), DeadLetters(path)
    second.open(None)
    first.write([letter(1)])
    noted = first.flush()
    for mark in None, noted:
        with pytest.raises(SinkError, match="dead is being written by another job"):
            second.open(mark)
    with pytest.raises(SinkError, match="dead is being written by another job"):
        second.write([letter(2)])
    first.close()
    second.close()
    assert [one["row"] for one in read(path)] == [1]


def test_two_jobs_that_take_one_suggested_name_at_the_same_moment_have_a_file_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "job.dead.jsonl"
    first, second = (DeadLetters(path, suggested=True) for _ in range(2))
    clear = DeadLetters._clear

    def meanwhile(late: DeadLetters) -> None:
        clear(late)
        if late is second:
            monkeypatch.setattr(DeadLetters, "_clear", clear)
            first.write([letter(1)])

    monkeypatch.setattr(DeadLetters, "_clear", meanwhile)
    with contextlib.closing(first), contextlib.closing(second):
        second.write([letter(2)])
    assert ([one["row"] for one in read(path)], [one["row"] for one in read(second.path)]) == ([1], [2])
    assert second.path == tmp_path / "job-2.dead.jsonl"


def test_a_document_that_is_nested_too_deeply_is_a_dead_letter_too(tmp_path: Path) -> None:
    deep: Any = []
    for _ in range(400):
        deep = [deep]
    letters = DeadLetters(tmp_path / "dead")
    letters.write([letter(1, {"text": deep})])
    letters.close()
    (found,) = read(tmp_path / "dead")
    assert (found["row"], found["whole"]) == (1, False)
    assert str(found["document"]).startswith("{'text': [[[")


@settings(derandomize=True, max_examples=30, deadline=None, database=None)
@given(st.lists(rows, min_size=1, max_size=4))
def test_a_file_that_is_cut_at_any_byte_of_its_last_line_gives_the_others(found: list[dict[str, Any]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "dead"
        whole = [letter(number, row).line() for number, row in enumerate(found)]
        before = b"".join(whole[:-1])
        for cut in range(len(whole[-1])):
            path.write_bytes(before + whole[-1][:cut])
            assert list(documents(path)) == found[:-1]
        path.write_bytes(before + whole[-1])
        assert list(documents(path)) == found


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (np.float32(0.5), 0.5),
        (np.arange(3), [0, 1, 2]),
        (dt.date(2026, 1, 2), "2026-01-02"),
        (type("Moment", (dt.datetime,), {})(2026, 1, 2, tzinfo=dt.UTC), "2026-01-02T00:00:00+00:00"),
        (b"\xff", "b'\\xff'"),
        ({1: "one"}, {"1": "one"}),
        ({(1, 2): [b"x"]}, {"(1, 2)": ["b'x'"]}),
        ("half \ud83d a smile", "half \\ud83d a smile"),
    ],
)
def test_a_document_that_is_not_quite_json_is_kept_as_well_as_can_be(
    letters: DeadLetters, value: Any, kept: Any
) -> None:
    letters.write([letter(1, {"id": "d1", "value": value})])
    letters.flush()
    assert list(documents(letters.path)) == [{"id": "d1", "value": kept}]


def test_numbers_of_any_length_are_kept_digit_by_digit(letters: DeadLetters) -> None:
    letters.write([letter(1, {"big": [2**70, -(2**64)], "price": Decimal("9.990"), "raw": raw}) for raw in ("a", b"a")])
    letters.flush()
    good, bad = letters.path.read_bytes().splitlines()
    numbers = b'{"big":[1180591620717411303424,-18446744073709551616],"price":9.990,"raw":'
    assert good.endswith(numbers + b'"a"}}')
    assert numbers + b'"b\'a\'"},"whole":false}' in bad


@pytest.mark.parametrize("row", [MappingProxyType({"id": 1}), {"id": 1}])
def test_any_mapping_is_a_document(letters: DeadLetters, row: Any) -> None:
    letters.write([letter(1, row)])
    letters.flush()
    assert list(documents(letters.path)) == [{"id": 1}]


def test_what_a_source_gave_in_place_of_a_mapping_is_kept_too(letters: DeadLetters) -> None:
    letters.write([letter(1, "a text"), letter(2, [1, 2])])
    letters.flush()
    assert [one["document"] for one in read(letters.path)] == ["a text", [1, 2]]


def test_closing_what_wrote_nothing_is_no_trouble(tmp_path: Path) -> None:
    DeadLetters(tmp_path / "dead").close()


GOOD = {"row": 1, "id": "d1", "why": "it failed", "document": {"id": "d1"}}


@pytest.mark.parametrize(
    "line",
    [
        [1, 2],
        7,
        "text",
        None,
        {},
        {**GOOD, "row": "1"},
        {**GOOD, "id": 1},
        {**GOOD, "why": None},
        {**GOOD, "why": ["it failed"]},
        {**GOOD, "bad_row": None},
        {**GOOD, "bad_row": {"why": 5, "where": "a, line 1", "raw": ""}},
        {**GOOD, "bad_row": {"where": "a, line 1"}},
        {**GOOD, "bad_row": {"why": "not JSON", "where": "a, line 1", "raw": "", "more": 1}},
        {**GOOD, "bad_row": [1]},
        {key: value for key, value in GOOD.items() if key != "document"},
    ],
    ids=str,
)
def test_a_line_that_is_no_dead_letter_is_named(tmp_path: Path, line: Any) -> None:
    path = tmp_path / "dead"
    path.write_bytes(letter(0).line() + orjson.dumps(line) + b"\n")
    with pytest.raises(SourceError, match=r"dead, line 2 is not a dead letter"):
        by_reason(read_back(path))


@pytest.mark.skipif(not FULL.exists(), reason="this system has no disk that is always full")
def test_a_full_disk_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "dead").symlink_to(FULL)
    letters = DeadLetters(tmp_path / "dead")
    letters.open(None)
    letters.write([letter(1)])
    for work in (letters.flush, letters.close):
        with pytest.raises(OSError, match=r"No space left.*dead'"):
            work()
    more = DeadLetters(tmp_path / "dead")
    with pytest.raises(OSError, match=r"No space left.*dead'"):
        more.write([letter(1, {"text": "long" * 100_000})])  # more than is buffered
    more.close()


def test_two_threads_with_the_first_dead_letters_open_one_file(
    letters: DeadLetters, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = threading.Thread(target=letters.write, args=([letter(2)],))
    opened: list[Path] = []
    really = Path.open

    def meanwhile(path: Path, mode: str) -> Any:
        opened.append(path)
        if len(opened) == 1:
            other.start()
            other.join(0.05)  # long enough to open the file too, if the lock did not make it wait
        return really(path, mode)

    monkeypatch.setattr(Path, "open", meanwhile)
    letters.write([letter(1)])
    other.join()
    monkeypatch.undo()
    letters.flush()
    assert len(opened) == 1
    assert [line["row"] for line in read(letters.path)] == [1, 2]


def test_a_long_number_is_read_from_a_dead_letter_as_it_is(tmp_path: Path) -> None:
    letter = DeadLetter(0, "a", "poison", {"id": "a", "hash": 12345678901234567890123})
    (tmp_path / "dead.jsonl").write_bytes(letter.line())
    assert list(read_back(tmp_path / "dead.jsonl")) == [letter]
