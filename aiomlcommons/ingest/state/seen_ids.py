"""Seen ids, for deduplication: an SQLite file, so that memory stays bounded however many there are.

Its exclusive lock is also the lock of the job.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from aiomlcommons.ingest.errors import JobUnderWay, SeenError

# Seconds to wait for the lock: a process that is being killed or closes its files may still hold it.
BUSY = 1.0


class SeenIds:
    """The ids of a job, each with the first row that had it. It blocks: call it in one thread at a time.

    The file is locked as long as it is open, so no two processes run the same job at once. Without a path the ids are
    in a temporary file. Raises JobUnderWay if the file is locked, SeenError if it is not an SQLite file or cannot be
    read or written.
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
        # An advisory lock, which the system releases however the process ends.
        self._db.execute("PRAGMA locking_mode=EXCLUSIVE")
        # Without fsync: a killed process leaves a consistent database behind. A power failure may damage it or lose its
        # last ids; the job can then be started anew.
        self._db.execute("PRAGMA journal_mode=WAL" if self._path else "PRAGMA journal_mode=OFF")
        self._db.execute("PRAGMA synchronous=OFF")
        self._db.execute("CREATE TABLE IF NOT EXISTS seen (id TEXT PRIMARY KEY, row INTEGER) WITHOUT ROWID")

    def forget(self) -> None:
        """Delete all ids, which another job left in the file."""
        with self._guarded():
            self._db.execute("DELETE FROM seen")

    def add(self, pairs: list[tuple[str, int]]) -> list[bool]:
        """Record ids with their rows; return for each whether another row had it first (a duplicate).

        It is idempotent: a row that comes again, after a resume, is no duplicate of itself.
        """
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
                    f"{self._path} is locked: the job is running already, in this process or another one; "
                    "wait for its end, or stop it"
                ) from error
            file = self._path or "the temporary file of the ids"
            raise SeenError(f"{file}: {error}; if it is broken, remove it and the checkpoint to begin anew") from error
