"""Documents that failed for good, with the reason, on disk: nothing is dropped in silence."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import attrs
import orjson

from aiomlcommons.ingest.types import BadRow, Row


@attrs.frozen
class Letter:
    """A document that failed: its row in the source, its id if it has one, the row itself, and why."""

    row: int
    id: str | None
    why: str
    document: Row | BadRow

    def line(self) -> bytes:
        """As a line of the file."""
        document = attrs.asdict(self.document) if isinstance(self.document, BadRow) else self.document
        data = {"row": self.row, "id": self.id, "why": self.why, "document": document}
        return orjson.dumps(data, default=repr, option=orjson.OPT_APPEND_NEWLINE | orjson.OPT_SERIALIZE_NUMPY)


class DeadLetters:
    """A JSON Lines file of letters. All of it is blocking: call it in a thread."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._file: IO[bytes] | None = None

    def open(self, length: int | None) -> None:
        """Begin, or go on after ``length`` bytes: what was written later belongs to rows that will be read again."""
        if length is None:
            self.path.unlink(missing_ok=True)
        elif self.path.exists():
            os.truncate(self.path, min(length, self.path.stat().st_size))

    def write(self, letters: Iterable[Letter]) -> None:
        """Append letters; the file appears with the first one."""
        lines = b"".join(letter.line() for letter in letters)
        if lines:
            if self._file is None:
                self._file = self.path.open("ab")
            self._file.write(lines)

    def flush(self) -> int:
        """Make all letters durable; return the file's length."""
        if self._file is not None:
            self._file.flush()
            os.fsync(self._file.fileno())
        return self.path.stat().st_size if self.path.exists() else 0

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()


def documents(path: str | os.PathLike[str]) -> Iterator[dict[str, Any]]:
    """The documents of a dead letter file, to be tried again; a torn last line is left out."""
    with Path(path).open("rb") as file:
        for line in file:
            if not line.endswith(b"\n"):
                return
            document = orjson.loads(line)["document"]
            if not {"why", "where", "raw"} <= document.keys():
                yield document
