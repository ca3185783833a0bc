"""An id is a duplicate if an earlier row has it, but not if its own row comes again after a resume."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Generator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiomlcommons.ingest.errors import JobUnderWay, SeenError
from aiomlcommons.ingest.state import _id_index, seen_ids
from aiomlcommons.ingest.state.seen_ids import SeenIds

KILLED_HALFWAY = """
import os, signal, sys
from pathlib import Path
from aiomlcommons.ingest.state.seen_ids import SeenIds

seen = SeenIds(Path(sys.argv[1]))
seen.duplicates([f"early {number}" for number in range(1000)], range(1000))
seen._db.set_progress_handler(lambda: os.kill(os.getpid(), signal.SIGKILL), 1)
seen.duplicates([f"late {number:040}" for number in range(1000)], range(100_000, 101_000))
"""


def add(seen: SeenIds, pairs: list[tuple[str, int]]) -> list[bool]:
    """Record pairs of id and row; return for each whether it is a duplicate."""
    found = seen.duplicates([key for key, _ in pairs], [row for _, row in pairs])
    return [i in found for i in range(len(pairs))]


@pytest.fixture
def seen() -> Generator[SeenIds]:
    seen = SeenIds(None)
    yield seen
    seen.close()


def test_the_first_row_with_an_id_is_no_duplicate_and_the_next_one_is(seen: SeenIds) -> None:
    assert add(seen, [("a", 0), ("b", 1), ("a", 2), ("c", 3), ("a", 4)]) == [False, False, True, False, True]


def test_duplicates_over_calls_are_found(seen: SeenIds) -> None:
    add(seen, [("a", 0), ("b", 1)])
    assert add(seen, [("c", 2), ("b", 3)]) == [False, True]


def test_the_same_row_again_is_no_duplicate(seen: SeenIds) -> None:
    for _ in range(2):
        assert add(seen, [("a", 0), ("b", 1), ("a", 2)]) == [False, False, True]


def test_no_ids_are_no_trouble(seen: SeenIds) -> None:
    assert add(seen, []) == []


def test_ids_differ_by_every_letter(seen: SeenIds) -> None:
    keys = ["a", "A", "a ", "é", "e\u0301", "1", "01", "1.0", "\U0001f600", "a\x00b", "a\x00c"]
    assert add(seen, [(key, row) for row, key in enumerate(keys)]) == [False] * len(keys)


def test_a_job_that_goes_on_knows_what_it_met(tmp_path: Path) -> None:
    first = SeenIds(tmp_path / "seen")
    add(first, [("a", 0), ("b", 1)])
    first.close()
    again = SeenIds(tmp_path / "seen")
    assert add(again, [("b", 1), ("c", 2), ("a", 3)]) == [False, False, True]
    again.close()
    assert [path.name for path in tmp_path.iterdir()] == ["seen"]


def test_a_fresh_one_forgets_what_another_job_met(tmp_path: Path) -> None:
    old = SeenIds(tmp_path / "seen")
    add(old, [("a", 7)])
    old.close()
    new = SeenIds(tmp_path / "seen")
    new.forget()
    assert add(new, [("a", 0)]) == [False]
    new.close()


def test_one_that_is_open_is_nobody_elses(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "seen"
    monkeypatch.setattr("aiomlcommons.ingest.state.seen_ids.BUSY", 0.0)
    for _ in "new", "there before":
        first = SeenIds(path)
        with pytest.raises(
            JobUnderWay, match=r"seen is locked: the job is running already, .*; wait for its end, or stop it"
        ):
            SeenIds(path)
        first.close()


def test_one_that_is_open_is_no_other_processs(tmp_path: Path) -> None:
    first = SeenIds(tmp_path / "seen")
    code = "import sys; from pathlib import Path; from aiomlcommons.ingest.state import seen_ids; seen_ids.BUSY = 0; "
    code += "seen_ids.SeenIds(Path(sys.argv[1]))"
    command = [sys.executable, "-c", code, str(tmp_path / "seen")]
    ended = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603
    assert "JobUnderWay" in ended.stderr
    first.close()
    assert subprocess.run(command, check=False).returncode == 0  # noqa: S603


def test_a_file_that_is_none_is_named_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "seen").write_text("notes of mine, and not a few of them " * 100)
    with pytest.raises(SeenError, match="no/seen: unable to open database file"):
        SeenIds(tmp_path / "no" / "seen")
    with pytest.raises(SeenError, match="seen: file is not a database; if it is broken, remove it and the checkpoint"):
        SeenIds(tmp_path / "seen")


def test_ids_that_an_earlier_version_kept_are_known(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "seen")) as db, db:
        db.execute("CREATE TABLE seen (id TEXT PRIMARY KEY, row INTEGER) WITHOUT ROWID")
        db.executemany("INSERT INTO seen VALUES (?, ?)", [(f"é {row}", row) for row in range(2_500)])
    for _ in range(2):
        seen = SeenIds(tmp_path / "seen")
        assert add(seen, [("é 7", 7), ("é 7", 8), ("é 2499", 2499), ("é 2499", 1)]) == [False, True, False, True]
        seen.close()


def test_equal_hashes_do_not_make_equal_ids(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seen_ids, "_hashes", lambda keys: np.full(len(keys), 5, np.uint64))
    for again in range(2):
        seen = SeenIds(tmp_path / "seen")
        for row, key in enumerate(["a", "b", "é", "ab", ""]):
            assert add(seen, [(key, row), (key, row + 10)]) == [False, True]
            assert add(seen, [(f"{key}{again} more", row), (f"{key}{again} more", row)]) == [False, False]
        seen.close()


def test_ids_are_found_wherever_the_index_has_them(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"FIRST": 48, "RECENT": 8, "LONGEST": 128}.items():
        monkeypatch.setattr(_id_index, name, value)
    seen = SeenIds(None)
    for start in range(0, 3_000, 100):
        assert seen.duplicates([f"d{n}" for n in range(start, start + 100)], range(start, start + 100)) == []
    again = [f"d{n}" for n in range(3_000)]
    assert seen.duplicates(again, range(3_000)) == []
    assert seen.duplicates(again, range(1, 3_001)) == list(range(3_000))
    assert seen._db.execute("SELECT sum(count) FROM ids").fetchone() == (3_000,)
    seen.close()


@pytest.mark.skipif(os.name != "posix", reason="kills a process in the POSIX way")
def test_a_process_that_is_killed_amid_a_call_leaves_all_earlier_calls_and_nothing_of_this_one(tmp_path: Path) -> None:
    path = tmp_path / "seen"
    ended = subprocess.run([sys.executable, "-c", KILLED_HALFWAY, str(path)], check=False)  # noqa: S603
    assert ended.returncode == -signal.SIGKILL
    seen = SeenIds(path)
    assert seen._db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert add(seen, [(f"early {number}", number + 5000) for number in range(1000)]) == [True] * 1000
    assert add(seen, [(f"late {number:040}", number + 500_000) for number in range(1000)]) == [False] * 1000
    seen.close()


@settings(derandomize=True, max_examples=100, deadline=None, database=None)
@given(st.lists(st.lists(st.sampled_from("abcdef"), max_size=6), max_size=8), st.integers(0, 7))
def test_it_says_what_a_set_would_say_and_says_it_again_after_a_crash(calls: list[list[str]], crash: int) -> None:
    seen, met, row = SeenIds(None), set[str](), 0
    said: list[tuple[list[tuple[str, int]], list[bool]]] = []
    for keys in calls:
        pairs = [(key, row + i) for i, key in enumerate(keys)]
        expected = [key in met or key in keys[:i] for i, key in enumerate(keys)]
        row += len(keys)
        met.update(keys)
        assert add(seen, pairs) == expected
        said.append((pairs, expected))
    for pairs, expected in said[crash:]:
        assert add(seen, pairs) == expected
    seen.close()
