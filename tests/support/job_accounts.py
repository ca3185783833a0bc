"""Invariants of a job's files and sink at any moment, checked without the code of the package."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
import orjson

from aiomlcommons.ingest.types import BadRow, Row
from tests.support.fakes import POISON, UNWANTED, Index, Tape, off_the_loop

COUNTS = ("read", "written", "failed", "deduplicated", "skipped")
NOTHING: Any = {
    "done": 0,
    "beyond": [],
    "start": 0,
    "sink": None,
    "counts": dict.fromkeys(COUNTS, 0),
    "finished": False,
}


@attrs.frozen
class Note:
    """The last complete checkpoint, and the rows of the dead letters that it counts."""

    done: frozenset[int]
    start: int
    state: Any
    counts: Mapping[str, int]
    finished: bool
    dead_letters: list[int]


@off_the_loop()
def noted(folder: Path) -> Note:
    """Return the last checkpoint of a job."""
    path = folder / "job"
    lines = path.read_bytes().split(b"\n")[1:-1] if path.exists() else []
    saved = next((found for line in reversed(lines) if (found := _decoded(line)) and found["sink"]), NOTHING)
    runs = [(0, saved["done"] - 1), *saved["beyond"]]
    sink = saved["sink"] or {"state": None, "dead_letters": [0, 0]}
    return Note(
        frozenset(row for first, last in runs for row in range(first, last + 1)),
        saved["start"],
        sink["state"],
        saved["counts"],
        saved["finished"],
        read_dead_letters(folder, sink["dead_letters"][0]),
    )


def read_dead_letters(folder: Path, length: int | None = None) -> list[int]:
    """Return the rows of the dead letters, up to a length in bytes."""
    path = folder / "dead"
    return [orjson.loads(line)["row"] for line in path.read_bytes()[:length].splitlines()] if path.exists() else []


def _decoded(line: bytes) -> Any:
    try:
        return orjson.loads(line)
    except ValueError:
        return None


def tear(folder: Path) -> None:
    """Leave what a crash during writes leaves: half a checkpoint, uncounted dead letters, a half-written file."""
    path, finished = folder / "job", noted(folder).finished
    if path.exists():
        with path.open("ab") as file:
            file.write(path.read_bytes().splitlines()[-1][:-9])
    (folder / "job.tmp").write_bytes(b'{"job":"ing')
    if finished:
        return  # opening a finished job writes a checkpoint that says it is unfinished, before anything else
    with (folder / "dead").open("ab") as file:
        file.write(b'{"row":0,"id":"d0","why":"it was never noted","document":{}}\n{"row":1,"id":')


def text_in(row: Any) -> str:
    """Return the text of a row that is a document, or an empty string."""
    text = None if isinstance(row, BadRow) or "id" not in row else row.get("text")
    return text.strip() if isinstance(text, str) else ""


@attrs.define
class Accounts:
    """Checks the outcome of rows. ``numbers`` maps each id to its row, the first one with a text.

    ``blamed`` are texts that the model failed on alone: they may be written or become dead letters.
    """

    rows: Sequence[Row | BadRow]
    blamed: set[str]
    numbers: dict[str, int] = attrs.field(init=False, factory=dict)

    def __attrs_post_init__(self) -> None:
        for number, row in enumerate(self.rows):
            if not isinstance(row, BadRow) and text_in(row):
                self.numbers.setdefault(row["id"], number)

    def fate(self, number: int) -> str:
        """Return the expected outcome of a row: written, failed, deduplicated, or "written or failed"."""
        row, text = self.rows[number], text_in(self.rows[number])
        if isinstance(row, BadRow) or not text:
            return "failed"
        if self.numbers[row["id"]] != number:
            return "deduplicated"
        if text.startswith((POISON, UNWANTED)):
            return "failed"
        return "written or failed" if text in self.blamed else "written"

    def check_note(self, note: Note, sink: Tape) -> None:
        """Check that what a checkpoint counts is durable, and that nothing else is counted."""
        held = self.held(sink.up_to(note.state))
        assert set(note.dead_letters) <= note.done
        assert isinstance(sink, Index) or held <= note.done
        assert set(range(note.start)) <= note.done, "rows are passed over that are not done"
        self._check(note.done, held & note.done, note.dead_letters, sink)
        assert note.counts["read"] == len(note.done)
        assert note.counts["written"] + note.counts["failed"] + note.counts["deduplicated"] == len(note.done)
        assert note.counts["failed"] == len(note.dead_letters)

    def check_all(self, folder: Path, sink: Tape) -> None:
        """Check that each good document is in the sink once, and each bad row is one dead letter."""
        assert sink.complete
        self._check(range(len(self.rows)), self.held(sink.held), read_dead_letters(folder), sink)

    def held(self, ids: list[str]) -> set[int]:
        """Return the rows in a sink, and check that each is there once."""
        found = [self.numbers[key] for key in ids]
        assert len(set(found)) == len(found), "documents are in the sink twice"
        return set(found)

    def _check(self, rows: Iterable[int], held: set[int], dead_letters: list[int], sink: Tape) -> None:
        dead = set(dead_letters)
        assert len(dead) == len(dead_letters), "letters are there twice"
        for number in rows:
            found = [where for where, there in (("written", held), ("failed", dead)) if number in there]
            fate = self.fate(number)
            if fate == "written or failed":
                # An index keeps what a run wrote that ended before its checkpoint and was repeated.
                assert len(found) == 1 or (found and isinstance(sink, Index)), f"row {number} is {found}"
            else:
                assert found == ([] if fate == "deduplicated" else [fate]), f"row {number} is {found}, not {fate}"
