"""Vectors that are known already: of the texts before, or of all jobs that used the same file."""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from hashlib import blake2b
from os import PathLike
from threading import Lock
from typing import Any, Protocol, TypeVar

import anyio.to_thread
import numpy as np
import orjson

from aiomlcommons.ingest.errors import CacheError

T = TypeVar("T")
# What the last texts may take in memory, in bytes: some ten thousand vectors of 384 numbers.
RECENT = 1 << 24
SCHEMA = """
CREATE TABLE IF NOT EXISTS vectors (key BLOB PRIMARY KEY, type TEXT NOT NULL, vector BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS written (key BLOB PRIMARY KEY, text BLOB NOT NULL) WITHOUT ROWID;
"""


class Cache(Protocol):
    """Vectors by text."""

    async def find(self, texts: Sequence[str]) -> dict[str, Any]:
        """The vectors of those texts that it knows."""
        ...

    async def keep(self, vectors: Mapping[str, Any]) -> None:
        """Know these from now on."""
        ...


class MemoryCache:
    """The vectors of the last texts, in memory, up to ``most`` bytes of texts and vectors."""

    def __init__(self, most: int = RECENT) -> None:
        self._most, self._size = most, 0
        self._vectors: dict[str, Any] = {}
        # Those that came together share an array, and free it by going together.
        self._batches: deque[tuple[int, list[str]]] = deque()

    async def find(self, texts: Sequence[str]) -> dict[str, Any]:
        """The vectors of those texts that it knows."""
        return {text: self._vectors[text] for text in texts if text in self._vectors}

    async def keep(self, vectors: Mapping[str, Any]) -> None:
        """Know these from now on, and no longer those that came first."""
        size = sum(map(len, vectors)) + _bytes_of(list(vectors.values()))
        self._batches.append((size, list(vectors)))
        self._vectors.update(vectors)
        self._size += size
        while self._size > self._most:
            gone, texts = self._batches.popleft()
            self._size -= gone
            for text in texts:
                self._vectors.pop(text, None)


class CacheFile:
    """An SQLite file of vectors by model and text, and of what was written where with which text.

    ``model`` tells models and their versions apart, ``target`` sinks. Several jobs may share the file, one after the
    other or at once. Raises CacheError where it is no such file, or cannot be read or written.
    """

    def __init__(self, path: str | PathLike[str], model: Mapping[str, Any], target: str = "") -> None:
        self._path = str(path)
        self._model = orjson.dumps(model, option=orjson.OPT_SORT_KEYS)
        self._target = _digest(target, self._model)
        self._alone = Lock()
        self._db = self._guarded(self._opened)

    def _opened(self) -> sqlite3.Connection:
        # Several worker threads use it, but never two at once.
        db = sqlite3.connect(self._path, check_same_thread=False, isolation_level=None, timeout=30)
        try:
            db.execute("PRAGMA journal_mode=WAL")
            # What a machine loses with its power is embedded again.
            db.execute("PRAGMA synchronous=OFF")
            db.executescript(SCHEMA)
        except BaseException:
            db.close()
            raise
        return db

    async def find(self, texts: Sequence[str]) -> dict[str, Any]:
        """The vectors of those texts that it knows."""
        return await self._threaded(lambda: self._find(texts))

    async def keep(self, vectors: Mapping[str, Any]) -> None:
        """Know these from now on."""

        def work() -> None:
            rows = [(_digest(text, self._model), *_packed(vector)) for text, vector in vectors.items()]
            self._many("INSERT OR REPLACE INTO vectors VALUES (?, ?, ?)", rows)

        if vectors:
            await self._threaded(work)

    def unchanged(self, documents: Sequence[tuple[str, str]]) -> list[bool]:
        """Of each id and text, whether it was written with that text. Blocking: call it in a thread."""
        return self._guarded(lambda: [self._written(key) == _digest(text) for key, text in documents])

    async def written(self, documents: Sequence[tuple[str, str]]) -> None:
        """These ids were written with these texts."""

        def work() -> None:
            rows = [(_digest(key, self._target), _digest(text)) for key, text in documents]
            self._many("INSERT OR REPLACE INTO written VALUES (?, ?)", rows)

        if documents:
            await self._threaded(work)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def _find(self, texts: Sequence[str]) -> dict[str, Any]:
        ask = "SELECT type, vector FROM vectors WHERE key = ?"
        found = ((text, self._db.execute(ask, (_digest(text, self._model),)).fetchone()) for text in texts)
        return {text: _unpacked(*row) for text, row in found if row is not None}

    def _written(self, key: str) -> bytes | None:
        row = self._db.execute("SELECT text FROM written WHERE key = ?", (_digest(key, self._target),)).fetchone()
        return None if row is None else row[0]

    def _many(self, statement: str, rows: list[tuple[Any, ...]]) -> None:
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany(statement, rows)

    async def _threaded(self, work: Callable[[], T]) -> T:
        return await anyio.to_thread.run_sync(self._guarded, work)

    def _guarded(self, work: Callable[[], T]) -> T:
        try:
            with self._alone:
                return work()
        except sqlite3.Error as error:
            raise CacheError(f"the cache {self._path}: {error}; name another file, or remove this one") from error


def _digest(text: str, salt: bytes = b"") -> bytes:
    # Salted by hashing it before: a key has 64 bytes at most.
    return blake2b(text.encode(), digest_size=16, key=blake2b(salt, digest_size=16).digest() if salt else b"").digest()


def _bytes_of(vectors: list[Any]) -> int:
    """About what vectors of one model take, each with its place in a dictionary."""
    if vectors and isinstance(vectors[0], np.ndarray):
        return len(vectors) * (200 + int(vectors[0].nbytes))
    return sum(200 + 100 * len(weights) for weights in vectors)


def _packed(vector: Any) -> tuple[str, bytes]:
    if isinstance(vector, np.ndarray):
        return vector.dtype.str, vector.tobytes()
    return "json", orjson.dumps(vector, option=orjson.OPT_SERIALIZE_NUMPY)


def _unpacked(kind: str, data: bytes) -> Any:
    return orjson.loads(data) if kind == "json" else np.frombuffer(data, kind)
