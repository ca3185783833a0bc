"""Vector caches by text: in memory for one job, or in an SQLite file for all jobs that name it."""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from copy import copy
from functools import partial
from hashlib import blake2b
from os import PathLike
from pathlib import Path
from threading import Lock
from typing import Any, Protocol, TypeVar

import numpy as np
import orjson

from aiomlcommons.inference.vectors import Vectors
from aiomlcommons.ingest.errors import CacheError
from aiomlcommons.ingest.paths import printable
from aiomlcommons.ingest.threads import run_to_end
from aiomlcommons.ingest.types import Sparse

T = TypeVar("T")
# Default size of the memory cache: some five thousand vectors of 384 numbers.
RECENT_BYTES = 1 << 23
SCHEMA = """
CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, type TEXT NOT NULL, vector BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS written (key BLOB PRIMARY KEY, text BLOB NOT NULL) WITHOUT ROWID;
"""
TABLES = {"vectors", "written"}


class Cache(Protocol):
    """A cache of vectors by text."""

    async def find(self, texts: Sequence[str]) -> dict[str, Any]:
        """Return the vectors of those texts that are cached."""
        ...

    async def keep(self, texts: Sequence[str], vectors: Vectors | Sparse) -> None:
        """Add the vectors of texts."""
        ...


class MemoryCache:
    """A FIFO cache in memory, bounded to ``most`` bytes of texts and vectors; oldest batches are evicted first."""

    def __init__(self, most: int = RECENT_BYTES) -> None:
        self._most, self._size = most, 0
        # The number of the batch of each text; they are numbered from ``_first`` on.
        self._batch_of: dict[str, int] = {}
        self._batches: deque[tuple[int, list[str], Vectors | Sparse]] = deque()
        self._first = 0

    async def find(self, texts: Sequence[str]) -> dict[str, Any]:
        """Return the vectors of those texts that are cached."""
        if self._batch_of.keys().isdisjoint(texts):
            return {}
        return {text: self._vector(text) for text in texts if text in self._batch_of}

    def _vector(self, text: str) -> Any:
        _, texts, vectors = self._batches[self._batch_of[text] - self._first]
        return vectors[texts.index(text)]

    async def keep(self, texts: Sequence[str], vectors: Vectors | Sparse) -> None:
        """Add the vectors of texts, and evict the oldest batches above the size limit."""
        if not texts:
            return
        size = sum(map(len, texts)) + _bytes_of(vectors)
        self._batch_of.update(dict.fromkeys(texts, self._first + len(self._batches)))
        # A copy, because a sink may change the vectors that it is given.
        self._batches.append((size, list(texts), copy(vectors)))
        self._size += size
        while self._size > self._most:
            freed, evicted, _ = self._batches.popleft()
            self._first += 1
            self._size -= freed
            for text in evicted:
                self._batch_of.pop(text, None)


class CacheFile:
    """An SQLite cache of vectors by model and text, and of the text last written by sink and id.

    ``model`` identifies a model and its version, ``target`` a sink. Several jobs and processes may share the file at
    once. Raises CacheError if the file is not such a cache, or cannot be read or written.
    """

    def __init__(self, path: str | PathLike[str], model: Mapping[str, Any], target: str = "") -> None:
        self._path = str(path)
        self._model = orjson.dumps(model, option=orjson.OPT_SORT_KEYS)
        self._target = _digest(target, self._model)
        self._lock = Lock()
        self._db = self._guarded(self._connect)

    def _connect(self) -> sqlite3.Connection:
        # Several worker threads use the connection, but the lock admits one at a time.
        db = sqlite3.connect(self._path, check_same_thread=False, isolation_level=None, timeout=30)
        try:
            _check_own(db)
            db.execute("PRAGMA journal_mode=WAL")
            # No fsync: entries lost in a power failure are just embedded again.
            db.execute("PRAGMA synchronous=OFF")
            db.executescript(SCHEMA)
        except BaseException:
            db.close()
            raise
        return db

    async def find(self, texts: Sequence[str]) -> dict[str, Any]:
        """Return the vectors of those texts that are cached."""
        return await self._in_thread(lambda: self._find(texts))

    async def keep(self, texts: Sequence[str], vectors: Vectors | Sparse) -> None:
        """Add the vectors of texts."""

        def work() -> None:
            pairs = zip(texts, vectors, strict=True)
            rows = [(_digest(text, self._model), *_pack(vector)) for text, vector in pairs]
            self._insert("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)", rows)

        if texts:
            await self._in_thread(work)

    def unchanged(self, documents: Sequence[tuple[str, str]]) -> list[bool]:
        """Return for each (id, text) whether that text was last written under the id. Blocking: call it in a thread."""
        return self._guarded(lambda: [self._written(key) == _digest(text) for key, text in documents])

    async def written(self, documents: Sequence[tuple[str, str]]) -> None:
        """Record (id, text) pairs that were written."""

        def work() -> None:
            rows = [(_digest(key, self._target), _digest(text)) for key, text in documents]
            self._insert("INSERT OR REPLACE INTO written VALUES (?, ?)", rows)

        if documents:
            await self._in_thread(work)

    def close(self) -> None:
        """Close the database."""
        self._db.close()

    def _find(self, texts: Sequence[str]) -> dict[str, Any]:
        query = "SELECT type, vector FROM vectors WHERE key = ?"
        found = ((text, self._db.execute(query, (_digest(text, self._model),)).fetchone()) for text in texts)
        return {text: _unpack(*row) for text, row in found if row is not None}

    def _written(self, key: str) -> bytes | None:
        row = self._db.execute("SELECT text FROM written WHERE key = ?", (_digest(key, self._target),)).fetchone()
        return None if row is None else row[0]

    def _insert(self, statement: str, rows: list[tuple[Any, ...]]) -> None:
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany(statement, rows)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await run_to_end(partial(self._guarded, work))

    def _guarded(self, work: Callable[[], T]) -> T:
        try:
            with self._lock:
                return work()
        except sqlite3.Error as error:
            raise _unusable(self._path, error) from error


def check_cache(path: str | PathLike[str]) -> None:
    """Raise CacheError if a file exists that is not a cache; it is not changed. It blocks."""
    if not Path(path).exists():
        return
    try:
        with closing(sqlite3.connect(path)) as db:
            _check_own(db)
    except sqlite3.Error as error:
        raise _unusable(path, error) from error


def _check_own(db: sqlite3.Connection) -> None:
    names = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if names and not names & TABLES:
        raise sqlite3.DatabaseError(f"it is a database of something else, with the table {min(names)}")


def _unusable(path: str | PathLike[str], error: sqlite3.Error) -> CacheError:
    return CacheError(f"the cache {printable(path)}: {error}; name another file, or remove this one")


def _digest(text: str, salt: bytes = b"") -> bytes:
    # The salt is hashed first, because a blake2b key has at most 64 bytes.
    return blake2b(text.encode(), digest_size=16, key=blake2b(salt, digest_size=16).digest() if salt else b"").digest()


def _bytes_of(vectors: Vectors | Sparse) -> int:
    """Estimate the memory that vectors of one model take, dictionary entries included."""
    if isinstance(vectors, np.ndarray):
        return 200 * len(vectors) + int(vectors.nbytes)
    return sum(200 + 100 * len(weights) for weights in vectors)


def _pack(vector: Any) -> tuple[str, bytes]:
    if isinstance(vector, np.ndarray):
        return vector.dtype.str, vector.tobytes()
    return "json", orjson.dumps(vector, option=orjson.OPT_SERIALIZE_NUMPY)


def _unpack(kind: str, data: bytes) -> Any:
    return orjson.loads(data) if kind == "json" else np.frombuffer(data, kind)
