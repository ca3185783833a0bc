"""Dead letters, tried again: in the end their file holds what still fails, and at any moment before all of them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any

import attrs
import orjson

from aiomlcommons.ingest.durable import sync_folder
from aiomlcommons.ingest.errors import SourceError
from aiomlcommons.ingest.rows.checking import by_field
from aiomlcommons.ingest.sources.jsonl import JsonlSource
from aiomlcommons.ingest.state.dead_letters import DeadLetter, read_dead_letters
from aiomlcommons.ingest.types import SHOWN, BadRow, Row, Rows


class LetterRow(dict[str, Any]):
    """The document of a letter, with the id under which it failed: that may have been the number of its row."""

    def __init__(self, document: Mapping[str, Any], letter_id: str | None) -> None:
        super().__init__(document)
        self.letter_id = letter_id


@attrs.frozen
class LetterSource:
    """The documents of a dead letter file; what is no document stays a BadRow, and so fails again.

    ``digest`` tells a checkpoint that the file was changed since, ``total`` is how many letters it holds.
    """

    path: Path
    digest: str
    total: int

    @classmethod
    def of(cls, path: Path) -> LetterSource:
        """Read through a file; it blocks. Raises SourceError for a line that is no letter or is torn, OSError."""
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            if file.tell():
                file.seek(-1, os.SEEK_END)
                if file.read() != b"\n":
                    raise SourceError(f"the last line of {path} has no end: finish the job that writes it, or the line")
        return cls(path, digest, sum(1 for _ in read_dead_letters(path)))

    @property
    def name(self) -> str:
        """The path, and what is in the file."""
        return f"{self.path} ({self.digest[:16]})"

    async def count(self) -> int | None:
        """How many letters it holds."""
        return self.total

    async def read(self, position: Any = None, start: int = 0) -> AsyncGenerator[Rows]:
        """The documents. Raises SourceError, OSError."""
        async with aclosing(JsonlSource(self.path).read(position, start)) as reading:
            async for rows in reading:
                yield attrs.evolve(rows, rows=list(map(_row, rows.rows)))


def _row(letter: Row | BadRow) -> Row | BadRow:
    if isinstance(letter, BadRow):
        return letter
    if "bad_row" in letter:
        return BadRow(**letter["bad_row"])
    if not letter.get("whole", True):
        raw = orjson.dumps(letter["document"]).decode()[:SHOWN]
        return BadRow("JSON could not hold all of the document: embed it from its source", f"row {letter['row']}", raw)
    document = letter["document"]
    if not isinstance(document, Mapping):
        return BadRow(f"not a mapping but {type(document).__name__}", "its source", str(document)[:SHOWN])
    return LetterRow(document, letter["id"])


def letter_id(field: str) -> Callable[[Row], Any]:
    """The id of a letter's document: the one under which it failed, else the value of a field."""
    read = by_field(field)

    def find(row: Row) -> Any:
        known = row.letter_id if isinstance(row, LetterRow) else None
        return read(row) if known is None else known

    return find


def keep_failed(path: Path, failed: Path, count: int) -> None:
    """Leave in a file of letters those that ``failed`` again, with the new reasons. It blocks.

    ``failed`` holds ``count`` letters whose ``row`` counts the letters of ``path``; it is removed. The file is
    replaced in one step, or removed where nothing is left in it. Raises SourceError where letters are missing, and
    changes nothing then.
    """
    why = {letter.row: letter.why for letter in read_dead_letters(failed)} if failed.exists() else {}
    if len(why) != count:
        raise SourceError(f"{failed} holds {len(why):,} letters, and {count:,} failed: {path} stays as it is")
    part = path.with_name(path.name + ".tmp")
    with part.open("wb") as file:
        file.writelines(letter.line() for letter in _still_failing(path, why))
        file.flush()
        os.fsync(file.fileno())
    if part.stat().st_size:
        part.replace(path)
    else:
        path.unlink()
        part.unlink()
    sync_folder(path.parent)
    failed.unlink(missing_ok=True)


def _still_failing(path: Path, why: Mapping[int, str]) -> Iterator[DeadLetter]:
    ids: set[str | None] = set()
    for number, letter in enumerate(read_dead_letters(path)):
        # One that was passed over as a duplicate of a letter that failed is not dealt with either.
        if number in why or letter.id in ids:
            yield attrs.evolve(letter, why=why.get(number, letter.why))
            ids |= {letter.id} - {None}
