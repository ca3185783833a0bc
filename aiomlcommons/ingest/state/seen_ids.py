"""Which ids a job has met, on disk: memory stays flat however many there are."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from aiomlcommons.ingest.errors import JobUnderWay, SeenError

# A process that is just being killed or is closing its files may need a moment, in seconds.
BUSY = 1.0


class SeenIds:
    """Ids with the row that had them first. It is blocking: call it in one thread at a time.

    As long as it is open nobody else can open the file, and so no two processes do the same job at once. Raises
    JobUnderWay where somebody has, SeenError where it is no such file, or cannot be read or written.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        # An empty name is a database in a temporary file, which SQLite removes by itself.
        name = str(path) if path else ""
        with self._guarded():
            self._db = sqlite3.connect(name, timeout=BUSY, check_same_thread=False, isolation_level=None)
        try:
            with self._guarded():
                self._begin()
        except BaseException:
            self._db.close()
            raise

    def _begin(self) -> None:
        # SQLite gives the lock back however a process ends.
        self._db.execute("PRAGMA locking_mode=EXCLUSIVE")
        # A killed process leaves a whole database behind; a machine that loses its power may not, and need not: the
        # journal of the job is what counts, and a job may be begun anew.
        self._db.execute("PRAGMA journal_mode=WAL" if self._path else "PRAGMA journal_mode=OFF")
        self._db.execute("PRAGMA synchronous=OFF")
        self._db.execute("CREATE TABLE IF NOT EXISTS seen (id TEXT PRIMARY KEY, row INTEGER) WITHOUT ROWID")

    def forget(self) -> None:
        """Forget what another job left in the file."""
        with self._guarded():
            self._db.execute("DELETE FROM seen")

    def add(self, pairs: list[tuple[str, int]]) -> list[bool]:
        """Note ids with their rows; return of each whether an earlier row had it."""
        with self._guarded(), self._db:
            self._db.execute("BEGIN")
            self._db.executemany("INSERT OR IGNORE INTO seen VALUES (?, ?)", pairs)
            first = [self._db.execute("SELECT row FROM seen WHERE id = ?", (key,)).fetchone()[0] for key, _ in pairs]
        return [row != number for row, (_, number) in zip(first, pairs, strict=True)]

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    @contextmanager
    def _guarded(self) -> Generator[None]:
        try:
            yield
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY:
                raise JobUnderWay(
                    f"another program, or another job of this one, has {self._path}: the job is under way; "
                    "wait for its end, or stop it"
                ) from error
            file = self._path or "the temporary file of the ids"
            raise SeenError(f"{file}: {error}; if it is broken, remove it and the checkpoint to begin anew") from error
