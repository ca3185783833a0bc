"""The base of file sinks: blocking work in threads, one call at a time."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar

import anyio.to_thread

from aiomlcommons.ingest.paths import printable
from aiomlcommons.ingest.sinks._part_file import Part
from aiomlcommons.ingest.types import Documents, Refused

T = TypeVar("T")
EARLIER = "was begun by an earlier version: remove the checkpoint to begin anew"


class BlockingSink(ABC):
    """A sink whose blocking work runs in threads, serialized by a lock."""

    concurrent = False

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path = Path(path)
        # A cancelled call may leave its thread running; the file must not be closed under it.
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        """The path, printable."""
        return printable(self.path)

    @property
    def outputs(self) -> tuple[Path, ...]:
        """The files that it publishes."""
        return (self.path,)

    async def open(self, state: Any) -> None:
        """Start anew, or resume from ``state`` and undo later writes. Raises SinkError, OSError."""
        await self._locked(lambda: self._open_or_close(state))

    async def write(self, batch: Documents, /) -> Sequence[Refused]:
        """Write a batch; return the documents that are refused. Raises SinkError, OSError naming the file."""
        refused = self._take_at_once(batch)
        return await self._locked(lambda: self._write(batch)) if refused is None else refused

    async def flush(self) -> Any:
        """Fsync all writes; return the state. Raises SinkError if it is not open, OSError naming the file."""
        return await self._locked(self._flush)

    async def close(self, *, complete: bool) -> None:
        """Close; ``complete`` publishes the file by atomic rename. Raises OSError, naming the file."""
        await self._locked(lambda: self._close(complete=complete))

    async def _locked(self, work: Callable[[], T]) -> T:
        def locked() -> T:
            with self._lock:
                return work()

        return await anyio.to_thread.run_sync(locked)

    def _take_at_once(self, batch: Documents) -> Sequence[Refused] | None:
        if not self._lock.acquire(blocking=False):
            return None
        try:
            return self._take(batch)
        finally:
            self._lock.release()

    def _take(self, batch: Documents) -> Sequence[Refused] | None:  # noqa: ARG002 - for those that can
        """Keep a batch for a later write, without blocking, and return what is refused; None leaves it to ``_write``.

        A thread for each batch costs more than what many a sink does with it.
        """
        return None

    def _open_or_close(self, state: Any) -> None:
        try:
            self._open(state)
        except BaseException:
            self._close(complete=False)
            raise

    @abstractmethod
    def is_output(self) -> bool:
        """Return whether the file under its name looks like what this sink writes. It blocks. Raises OSError."""
        ...

    @abstractmethod
    def _open(self, state: Any) -> None: ...

    @abstractmethod
    def _write(self, batch: Documents) -> Sequence[Refused]: ...

    @abstractmethod
    def _flush(self) -> Any: ...

    @abstractmethod
    def _close(self, *, complete: bool) -> None: ...


class FileSink(BlockingSink):
    """A sink that appends to one file."""

    def __init__(self, path: str | PathLike[str]) -> None:
        super().__init__(path)
        self._part = Part(path)

    def _open(self, state: Any) -> None:
        self._part.open(None if state is None else state["bytes"])

    def _flush(self) -> Any:
        return {"bytes": self._part.sync()}

    def _close(self, *, complete: bool) -> None:
        self._part.close(complete=complete)
