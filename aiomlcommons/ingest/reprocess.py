"""Reprocessing of dead letters: a job whose source is a dead letter file, which it shrinks to what still fails."""

from __future__ import annotations

import hashlib
import os
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any

import attrs

from aiomlcommons.ingest.durable import sync_folder
from aiomlcommons.ingest.errors import SourceError
from aiomlcommons.ingest.job_files import remove_checkpoint
from aiomlcommons.ingest.json_values import dumped_anyhow
from aiomlcommons.ingest.rows.checking import by_field
from aiomlcommons.ingest.sources.jsonl import JsonlSource
from aiomlcommons.ingest.state.checkpoint import CheckpointFile
from aiomlcommons.ingest.state.dead_letters import DeadLetter, read_dead_letters
from aiomlcommons.ingest.types import SHOWN, BadRow, Row, Rows


@attrs.frozen
class RetryFiles:
    """The files of a retry, and the steps that change them, so that no dead letter is lost by a crash.

    1. A job reads ``path``, keeps its ``checkpoint``, and writes what fails again to ``failed``.
    2. ``commit`` replaces ``path`` by atomic rename, then removes ``failed``.
    3. ``clean_up`` removes the other files, the checkpoint last.

    After a crash in step 1 the job resumes; after a later one ``committed`` tells whether step 2 is done. All of it
    blocks: call it in a thread.
    """

    path: Path
    checkpoint: Path

    @property
    def failed(self) -> Path:
        """The dead letter file of the retry."""
        return Path(f"{self.path}.failed")

    def committed(self) -> bool:
        """Return whether an interrupted retry had replaced the file already."""
        found = CheckpointFile.peek(self.checkpoint)
        if found is None or not found[1].finished:
            return False
        header, checkpoint = found
        # If all fail again for the same reasons, the new file equals the old one; `failed` tells them apart.
        failed_is_gone = checkpoint.counts["failed"] > 0 and not self.failed.exists()
        return failed_is_gone or not self.path.exists() or header.get("source") != DeadLetterSource.of(self.path).name

    def commit(self, count: int) -> None:
        """Leave in the file only the ``count`` dead letters that failed again, with the new reasons.

        The ``row`` of a dead letter in ``failed`` is a line number in ``path``, from 0. ``path`` is removed if nothing
        is left. Raises SourceError if ``failed`` does not hold ``count`` dead letters, and changes nothing then.
        """
        again = read_dead_letters(self.failed) if self.failed.exists() else ()
        why = {dead_letter.row: dead_letter.why for dead_letter in again}
        if len(why) != count:
            raise SourceError(
                f"{self.failed} holds {len(why):,} dead letters, and {count:,} documents failed: "
                f"{self.path} stays as it is"
            )
        self._replace(dead_letter.line() for dead_letter in _still_failing(self.path, why))
        self.failed.unlink(missing_ok=True)

    def _replace(self, lines: Iterable[bytes]) -> None:
        part = self.path.with_name(f"{self.path.name}.tmp")
        with part.open("wb") as file:
            file.writelines(lines)
            file.flush()
            os.fsync(file.fileno())
        if part.stat().st_size:
            part.replace(self.path)
        else:
            self.path.unlink()
            part.unlink()
        sync_folder(self.path.parent)

    def clean_up(self) -> int:
        """Remove the files of the retry; return how many dead letters are left."""
        self.failed.unlink(missing_ok=True)
        # Last, because `committed` needs the checkpoint.
        remove_checkpoint(self.checkpoint)
        return sum(1 for _ in read_dead_letters(self.path)) if self.path.exists() else 0


class RetriedDocument(dict[str, Any]):
    """The document of a dead letter, with the id under which it failed, which may have been its row number."""

    def __init__(self, document: Mapping[str, Any], failed_id: str | None) -> None:
        super().__init__(document)
        self.failed_id = failed_id


@attrs.frozen
class DeadLetterSource:
    """The documents of a dead letter file as a source; a bad row stays a BadRow, and so fails again.

    ``digest`` is the SHA-256 of the file, so that a checkpoint is not resumed with another one; ``total`` is the
    number of its dead letters.
    """

    path: Path
    digest: str
    total: int

    @classmethod
    def of(cls, path: Path) -> DeadLetterSource:
        """Read through a file; it blocks. Raises SourceError for a line that is torn or no dead letter, OSError."""
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            if file.tell():
                file.seek(-1, os.SEEK_END)
                if file.read() != b"\n":
                    raise SourceError(
                        f"the last line of {path} is incomplete: resume the job that writes it, or remove the line"
                    )
        return cls(path, digest, sum(1 for _ in read_dead_letters(path)))

    @property
    def name(self) -> str:
        """The path and the digest."""
        return f"{self.path} ({self.digest[:16]})"

    async def count(self) -> int | None:
        """Return the number of dead letters."""
        return self.total

    async def read(self, position: Any = None, start: int = 0) -> AsyncGenerator[Rows]:
        """Yield the documents. Raises SourceError, OSError."""
        async with aclosing(JsonlSource(self.path).read(position, start)) as reading:
            async for rows in reading:
                yield attrs.evolve(rows, rows=list(map(_row, rows.rows)))


def _row(dead_letter: Row | BadRow) -> Row | BadRow:
    if isinstance(dead_letter, BadRow):
        return dead_letter
    if "bad_row" in dead_letter:
        return BadRow(**dead_letter["bad_row"])
    document = dead_letter["document"]
    if not dead_letter.get("whole", True):
        why = "JSON could not hold all of the document: embed it from its source"
        return BadRow(why, f"row {dead_letter['row']}", dumped_anyhow(document).decode()[:SHOWN])
    if not isinstance(document, Mapping):
        return BadRow(f"not a mapping but {type(document).__name__}", "its source", str(document)[:SHOWN])
    return RetriedDocument(document, dead_letter["id"])


def retried_id(field: str) -> Callable[[Row], Any]:
    """Return a function that finds the id of a retried document: the one under which it failed, else a field."""
    read = by_field(field)

    def find(row: Row) -> Any:
        known = row.failed_id if isinstance(row, RetriedDocument) else None
        return read(row) if known is None else known

    return find


def _still_failing(path: Path, why: Mapping[int, str]) -> Iterator[DeadLetter]:
    ids: set[str | None] = set()
    for number, dead_letter in enumerate(read_dead_letters(path)):
        # The retry skipped a later dead letter of the same id as a duplicate, so it was not written either.
        if number in why or dead_letter.id in ids:
            yield attrs.evolve(dead_letter, why=why.get(number, dead_letter.why))
            ids |= {dead_letter.id} - {None}
