"""Seen ids, for deduplication: an SQLite file with an index in memory, of about 20 bytes for each id.

Its exclusive lock is also the lock of the job.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path

import numpy as np

from aiomlcommons.ingest.errors import JobUnderWay, SeenError
from aiomlcommons.ingest.state._id_index import Hashes, IdIndex

# Seconds to wait for the lock: a process that is being killed or closes its files may still hold it.
BUSY = 1.0
# A row for the ids of each call: the number of the first one, and how many there are. ``data`` are the rows that had
# them (int64), where each one ends (uint32), and the ids in UTF-8.
SCHEMA = "CREATE TABLE IF NOT EXISTS ids (first INTEGER PRIMARY KEY, count INTEGER, data BLOB)"
OF_BLOCK = "SELECT first, count, data FROM ids WHERE first <= ? ORDER BY first DESC LIMIT 1"
# What earlier versions kept.
EARLIER = "SELECT name FROM sqlite_master WHERE name = 'seen'"


class SeenIds:
    """The ids of a job, each with the first row that had it. It blocks: call it in one thread at a time.

    The file is locked as long as it is open, so no two processes run the same job at once. Without a path the ids are
    in a temporary file. Raises JobUnderWay if the file is locked, SeenError if it is not an SQLite file or cannot be
    read or written.
    """

    def __init__(self, path: Path | None) -> None:
        self._path, self._index = path, IdIndex()
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
        self._db.execute(SCHEMA)
        for count, data in self._db.execute("SELECT count, data FROM ids ORDER BY first"):
            self._index.add(_hashes(_unpacked(count, data)))
        if self._db.execute(EARLIER).fetchone():
            self._take_over()

    def _take_over(self) -> None:
        """Take over the ids of a job that an earlier version began."""
        with self._db:
            self._db.execute("BEGIN")
            pairs = self._db.execute("SELECT id, row FROM seen").fetchall()
            for i in range(0, len(pairs), 1_000):
                keys, rows = zip(*pairs[i : i + 1_000], strict=True)
                self._record(keys, rows, _hashes(keys))
            self._db.execute("DROP TABLE seen")

    def forget(self) -> None:
        """Delete all ids, which another job left in the file."""
        with self._guarded():
            self._db.execute("DELETE FROM ids")
        self._index = IdIndex()

    def duplicates(self, keys: Sequence[str], rows: Sequence[int]) -> list[int]:
        """Record ids with their rows; return the indices of those that another row had first.

        It is idempotent: a row that comes again, after a resume, is no duplicate of itself.
        """
        hashes = _hashes(keys)
        suspects: list[int] = np.flatnonzero(self._index.may_have(hashes)).tolist()
        with self._guarded():
            if not suspects and len(set(keys)) == len(keys):
                self._record(keys, rows, hashes)
                return []
            first = self._found([keys[i] for i in suspects], hashes[suspects])
            duplicates: list[int] = []
            new: list[int] = []
            for i, (key, row) in enumerate(zip(keys, rows, strict=True)):
                if key not in first:
                    first[key] = row
                    new.append(i)
                elif first[key] != row:
                    duplicates.append(i)
            self._record([keys[i] for i in new], [rows[i] for i in new], hashes[new])
        return duplicates

    def _record(self, keys: Sequence[str], rows: Sequence[int], hashes: Hashes) -> None:
        """Add ids that are new."""
        if keys:
            data = _packed(keys, rows)
            self._db.execute("INSERT INTO ids VALUES (?, ?, ?)", (self._index.count, len(keys), data))
            self._index.add(hashes)

    def _found(self, keys: Sequence[str], hashes: Hashes) -> dict[str, int]:
        """Return those of the ids that were recorded, with their rows: equal hashes alone do not make equal ids."""
        found: dict[str, int] = {}
        first = count = 0
        data = b""
        # In the order of the numbers, so that each block is read once.
        for number, i in sorted((number, i) for i, number in self._index.find(hashes)):
            if number >= first + count:
                first, count, data = self._db.execute(OF_BLOCK, (number,)).fetchone()
            key, row = _one_of(data, count, number - first)
            if key == keys[i]:
                found[key] = row
        return found

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


def _hashes(keys: Sequence[str]) -> Hashes:
    # Those of Python differ from process to process, so that nobody can choose ids with equal ones.
    return np.fromiter(map(hash, keys), np.int64, len(keys)).view(np.uint64)


def _packed(keys: Sequence[str], rows: Sequence[int]) -> bytes:
    text = "".join(keys)
    sizes = map(len, keys) if text.isascii() else (len(key.encode()) for key in keys)
    ends = np.fromiter(accumulate(sizes), np.uint32, len(keys))
    return b"".join((np.array(rows, np.int64).tobytes(), ends.tobytes(), text.encode()))


def _unpacked(count: int, data: bytes) -> list[str]:
    ends = np.frombuffer(data, np.uint32, count, 8 * count).tolist()
    text = data[12 * count :]
    return [text[begin:end].decode() for begin, end in zip([0, *ends], ends, strict=False)]


def _one_of(data: bytes, count: int, i: int) -> tuple[str, int]:
    """Return one id of a block and its row."""
    (row,) = np.frombuffer(data, np.int64, 1, 8 * i).tolist()
    ends = np.frombuffer(data, np.uint32, 2 if i else 1, 8 * count + 4 * max(0, i - 1)).tolist()
    begin, end = [0, *ends][-2:]
    return data[12 * count + begin : 12 * count + end].decode(), row
