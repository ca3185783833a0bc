"""What a writer was told of its writes, on disk, and what each document must be by it."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import attrs
import orjson

Number = int | None
"""The number of the write that made a document what it is; None where it was deleted."""


@attrs.frozen
class Entry:
    """A write: of which document, what was done, and what the server said. ``index`` is the one that took it.

    ``status`` is 0 if there was no answer, so that nobody knows whether it was done.
    """

    id: str
    number: int
    deletes: bool
    status: int
    index: str = ""
    error: str = ""

    @property
    def is_done(self) -> bool:
        """Whether the server acknowledged it. That a document was gone already is a delete too."""
        return 200 <= self.status < 300 or (self.deletes and self.status == 404)


class Writing:
    """A ledger that is written: each entry is on its way to the disk before the next write is sent."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def add(self, entry: Entry) -> None:
        os.write(self._file, orjson.dumps(attrs.asdict(entry)) + b"\n")

    def close(self) -> None:
        os.close(self._file)


def read(path: Path) -> Iterator[Entry]:
    """Yield the entries of a ledger in the order in which they were answered."""
    with path.open("rb") as file:
        for line in file:
            yield Entry(**orjson.loads(line))


@attrs.define
class Expected:
    """What each document must be: by its id, the numbers of the writes any of which may have been the last one."""

    documents: dict[str, set[Number]] = attrs.field(factory=dict)
    counts: Counter[str] = attrs.field(factory=Counter)
    errors: Counter[str] = attrs.field(factory=Counter)

    @classmethod
    def of(cls, documents: int, entries: Iterator[Entry]) -> Expected:
        """Return what must be after the writes of a ledger, which began with so many documents."""
        found = cls({f"d{number}": {0} for number in range(documents)})
        for entry in entries:
            found._add(entry)
        return found

    def _add(self, entry: Entry) -> None:
        now: Number = None if entry.deletes else entry.number
        if entry.is_done:
            self.documents[entry.id] = {now}
            self.counts["deleted" if entry.deletes else "written"] += 1
            return
        self.errors[f"{entry.status} {entry.error}"] += 1
        self.counts["refused" if entry.status else "unknown"] += 1
        if not entry.status:
            self.documents.setdefault(entry.id, {None}).add(now)
