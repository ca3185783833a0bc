"""Which ids a job has met, on disk: memory stays flat however many there are."""

from __future__ import annotations

import sqlite3
from pathlib import Path


class Seen:
    """Ids with the row that had them first. It is blocking: call it in one thread at a time.

    ``fresh`` forgets what another job left in the file.
    """

    def __init__(self, path: Path | None, *, fresh: bool = False) -> None:
        # An empty name is a database in a temporary file, which SQLite removes by itself.
        self._db = sqlite3.connect(str(path) if path else "", check_same_thread=False, isolation_level=None)
        # A killed process leaves a whole database behind; a machine that loses its power may not, and need not: the
        # journal of the job is what counts, and a job may be begun anew.
        self._db.execute("PRAGMA journal_mode=WAL" if path else "PRAGMA journal_mode=OFF")
        self._db.execute("PRAGMA synchronous=OFF")
        self._db.execute("CREATE TABLE IF NOT EXISTS seen (id TEXT PRIMARY KEY, row INTEGER) WITHOUT ROWID")
        if fresh:
            self._db.execute("DELETE FROM seen")

    def add(self, pairs: list[tuple[str, int]]) -> list[bool]:
        """Note ids with their rows; return of each whether an earlier row had it."""
        self._db.execute("BEGIN")
        self._db.executemany("INSERT OR IGNORE INTO seen VALUES (?, ?)", pairs)
        first = [self._db.execute("SELECT row FROM seen WHERE id = ?", (key,)).fetchone()[0] for key, _ in pairs]
        self._db.execute("COMMIT")
        return [row != number for row, (_, number) in zip(first, pairs, strict=True)]

    def close(self) -> None:
        """Close the database."""
        self._db.close()
