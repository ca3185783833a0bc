"""Retried dead letters: their documents are unchanged, and their file is reduced to those that still fail."""

from __future__ import annotations

import asyncio
import os
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from aiomlcommons.ingest.reprocess import DeadLetterSource, RetriedDocument, RetryFiles, retried_id
from aiomlcommons.ingest.sources import SourceError
from aiomlcommons.ingest.state.dead_letters import DeadLetter, read_dead_letters
from aiomlcommons.ingest.types import BadRow

WHEN = datetime.fromisoformat("2026-01-02T00:00:00")
BAD = BadRow("not JSON", "in.jsonl, line 3", "{")


def letter(row: int, key: str | None, document: Any = None, why: str = "away") -> DeadLetter:
    return DeadLetter(row, key, why, {"id": key, "n": row} if document is None else document)


def write(path: Path, *found: DeadLetter) -> Path:
    path.write_bytes(b"".join(one.line() for one in found))
    return path


async def opened(path: Path) -> DeadLetterSource:
    return await asyncio.to_thread(DeadLetterSource.of, path)


# ---- the source ------------------------------------------------------------------------------------------------------


@pytest.mark.asyncio
async def test_documents_are_read_with_the_ids_under_which_they_failed(tmp_path: Path) -> None:
    found = [letter(7, "d7"), letter(8, None, BAD), letter(9, None, {"a": 1}), letter(10, "d10", "a text")]
    path = write(tmp_path / "dead", *found)
    source = await opened(path)
    assert await source.count() == 4
    first, bad, other, text = [row async for rows in source.read() for row in rows.rows]
    assert (first, bad, other) == ({"id": "d7", "n": 7}, BAD, {"a": 1})
    assert isinstance(first, RetriedDocument)
    assert first.failed_id == "d7"
    assert isinstance(text, BadRow)
    assert text.why == "not a mapping but str"


@pytest.mark.asyncio
@pytest.mark.parametrize("text", [b"bytes", {1.5}, "half a \ud800", ("a", {1, 2})])
async def test_a_document_that_json_cannot_hold_is_not_taken_for_what_stands_in_its_place(
    tmp_path: Path, text: Any
) -> None:
    path = write(tmp_path / "dead", letter(7, "d7", {"text": text, "when": WHEN}))
    (bad,) = [row async for rows in (await opened(path)).read() for row in rows.rows]
    assert isinstance(bad, BadRow)
    assert bad.why == "JSON could not hold all of the document: embed it from its source"
    assert bad.where == "row 7"
    (kept,) = read_dead_letters(path)
    assert (kept.whole, orjson.loads(kept.line())) == (False, orjson.loads(path.read_bytes()))


@pytest.mark.asyncio
async def test_a_document_with_a_date_is_whole(tmp_path: Path) -> None:
    path = write(tmp_path / "dead", letter(7, "d7", {"when": WHEN}))
    assert [row async for rows in (await opened(path)).read() for row in rows.rows] == [{"when": "2026-01-02T00:00:00"}]


@pytest.mark.asyncio
async def test_a_reading_goes_on_where_it_was(tmp_path: Path) -> None:
    found = [letter(row, f"d{row}", {"text": "x" * 1000}) for row in range(2_000)]
    source = await opened(write(tmp_path / "dead", *found))
    pieces = [rows async for rows in source.read()]
    assert len(pieces) > 2
    again = [row async for rows in source.read(pieces[1].position, pieces[1].start) for row in rows.rows]
    assert [row.failed_id for row in again if isinstance(row, RetriedDocument)] == [
        f"d{row}" for row in range(pieces[1].start, 2_000)
    ]


def test_a_file_that_was_changed_is_another_source(tmp_path: Path) -> None:
    path = write(tmp_path / "dead", letter(1, "a"), letter(2, "b"))
    before = DeadLetterSource.of(path).name
    assert before.startswith(f"{path} (")
    assert DeadLetterSource.of(path).name == before
    write(path, letter(1, "a"), letter(2, "c"))
    assert DeadLetterSource.of(path).name != before


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (letter(1, "a").line() + b'{"id": 1}\n', "dead, line 2 is not a dead letter"),
        (b"no JSON\n", "dead, line 1 is not a dead letter"),
        (b"[1]\n", "dead, line 1 is not a dead letter"),
        (b'{"row": 1, "id": null, "why": "", "bad_row": {"where": "x"}}\n', "dead, line 1 is not a dead letter"),
        (letter(1, "a").line()[:-1], "the last line of .*dead is incomplete"),
        (letter(1, "a").line() + b'{"row', "the last line of .*dead is incomplete"),
    ],
)
def test_what_is_no_whole_dead_letter_is_refused(tmp_path: Path, data: bytes, words: str) -> None:
    (tmp_path / "dead").write_bytes(data)
    with pytest.raises(SourceError, match=words):
        DeadLetterSource.of(tmp_path / "dead")


def test_a_file_without_dead_letters_is_valid(tmp_path: Path) -> None:
    (tmp_path / "dead").touch()
    assert DeadLetterSource.of(tmp_path / "dead").total == 0


def test_an_id_is_the_dead_letters_own_else_that_of_a_field() -> None:
    find = retried_id("key")
    assert find(RetriedDocument({"key": "x"}, "7")) == "7"
    assert find(RetriedDocument({"key": "x"}, None)) == "x"
    with pytest.raises(LookupError, match="it has no field 'key'"):
        find(RetriedDocument({}, None))


# ---- what is left ----------------------------------------------------------------------------------------------------


def kept(tmp_path: Path, failed: list[DeadLetter], *found: DeadLetter) -> list[DeadLetter]:
    """Return the dead letters that are left, given those that failed again in any order."""
    path, again = write(tmp_path / "dead", *found), tmp_path / "dead.failed"
    if failed:
        write(again, *failed)
    RetryFiles(path, tmp_path / "unused").commit(len(failed))
    assert {file.name for file in tmp_path.iterdir()} <= {"dead"}
    return list(read_dead_letters(path)) if path.exists() else []


def test_what_fails_again_stays_in_its_order_with_the_new_reason(tmp_path: Path) -> None:
    found = [letter(70, "a"), letter(8, None, BAD), letter(70, "c"), letter(5, "d")]
    failed = [letter(3, "d", why="new"), letter(0, "a", why="newer"), letter(1, None, BAD, why="bad")]
    assert kept(tmp_path, failed, *found) == [
        letter(70, "a", why="newer"),
        letter(8, None, BAD, why="bad"),
        letter(5, "d", why="new"),
    ]


def test_without_failures_the_file_is_gone(tmp_path: Path) -> None:
    assert kept(tmp_path, [], letter(1, "a"), letter(2, "b")) == []
    assert not (tmp_path / "dead").exists()


def test_a_later_dead_letter_of_the_same_id_stays_with_one_that_failed(tmp_path: Path) -> None:
    # The job skipped it as a duplicate, so it was not written.
    found = [letter(1, "a"), letter(2, "b"), letter(3, "b", {"other": 1}), letter(4, None), letter(5, None)]
    left = kept(tmp_path, [letter(1, "b", why="new"), letter(3, None, why="new")], *found)
    assert [(one.row, one.why) for one in left] == [(2, "new"), (3, "away"), (4, "new")]


def test_an_earlier_dead_letter_of_the_same_id_does_not(tmp_path: Path) -> None:
    assert [one.row for one in kept(tmp_path, [letter(1, "a")], letter(1, "a"), letter(2, "a"))] == [2]


def test_a_file_that_cannot_be_written_leaves_all_as_it_is(tmp_path: Path) -> None:
    path, failed = write(tmp_path / "dead", letter(1, "a")), write(tmp_path / "dead.failed", letter(0, "a"))
    (tmp_path / "dead.tmp").mkdir()
    before = path.read_bytes()
    with pytest.raises(IsADirectoryError):
        RetryFiles(path, tmp_path / "unused").commit(1)
    assert (path.read_bytes(), failed.exists()) == (before, True)


def test_dead_letters_that_failed_and_are_gone_are_missed(tmp_path: Path) -> None:
    path = write(tmp_path / "dead", letter(1, "a"))
    before = path.read_bytes()
    with pytest.raises(
        SourceError, match=r"failed holds 0 dead letters, and 1 documents failed: .*dead stays as it is"
    ):
        RetryFiles(path, tmp_path / "unused").commit(1)
    assert path.read_bytes() == before


@pytest.mark.parametrize("left", [1, 0])
def test_what_is_left_is_on_the_disk_before_the_new_dead_letters_go(
    tmp_path: Path, left: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "dead", letter(0, "a"), letter(1, "b"))
    failed = write(tmp_path / "dead.failed", *[letter(0, "a", why="again")][:left])
    heard: list[tuple[str, bool, int]] = []
    fsync = os.fsync

    def listen(number: int) -> None:
        fsync(number)
        rows = len(list(read_dead_letters(path))) if path.exists() else 0
        heard.append((Path(f"/proc/self/fd/{number}").readlink().name, failed.exists(), rows))

    monkeypatch.setattr(os, "fsync", listen)
    RetryFiles(path, tmp_path / "unused").commit(left)
    assert heard == [("dead.tmp", True, 2), (tmp_path.name, True, left)]
    assert not failed.exists()
