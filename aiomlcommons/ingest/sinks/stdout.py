"""JSON Lines to standard output."""

from __future__ import annotations

import os
import select
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

import anyio
import anyio.to_thread

from aiomlcommons.ingest.errors import SinkError
from aiomlcommons.ingest.sinks._json_rows import encoded, not_json
from aiomlcommons.ingest.types import Documents, Refused, Row
from aiomlcommons.typed import typed

# Bytes that a writable pipe takes without blocking: PIPE_BUF of POSIX, of which Windows has no pipes to wait for.
AT_ONCE = getattr(select, "PIPE_BUF", 512)


class StdoutSink:
    """JSON Lines to standard output or another file descriptor, as documents are embedded.

    A line is as in a JsonLinesSink. Nothing can be undone, so a job with it cannot be resumed. The job ends with a
    SinkError when the reader of a pipe closes it.
    """

    concurrent = False

    @typed
    def __init__(self, *, field: str = "embedding", descriptor: int = 1) -> None:
        self.field, self._descriptor = field, descriptor
        self._written = 0

    @property
    def name(self) -> str:
        """``stdout``, which is also the beginning of the name of its dead letter file."""
        return "stdout"

    def screen(self, _: Sequence[str], rows: Sequence[Row], /) -> Sequence[Refused]:
        """Return the documents whose row JSON cannot hold."""
        return not_json(rows, self.field)

    async def open(self, state: Any) -> None:
        """Start. Raises SinkError if the job has a state to resume from, or if nobody could read what is written."""
        if state is not None:
            raise SinkError("standard output cannot be resumed: name a file as the sink")
        with _naming():
            await anyio.to_thread.run_sync(os.write, self._descriptor, b"")  # fails if it is closed

    async def write(self, batch: Documents, /) -> Sequence[Refused]:
        """Write a batch; return the documents that are refused. Raises SinkError if it cannot be written."""
        found = await anyio.to_thread.run_sync(encoded, batch.rows, batch.vectors, self.field)
        try:
            with _naming():
                await self._send(found.body)
        except BrokenPipeError:
            raise SinkError(
                f"the reader of standard output closed it after {self._written:,} documents or a few more"
            ) from None
        self._written += len(found.sizes)
        return found.refused

    async def flush(self) -> Any:
        """Return None: there is no state to resume from."""
        return None

    async def close(self, *, complete: bool) -> None:
        """Do nothing: the output stays open."""

    async def _send(self, data: bytes) -> None:
        left = memoryview(data)
        while left:
            # A thread that waits for the reader could not be cancelled, so the event loop waits. It cannot wait for a
            # regular file (OSError), which is always writable.
            with suppress(OSError):
                await anyio.wait_writable(self._descriptor)
            left = left[await anyio.to_thread.run_sync(_write, self._descriptor, left) :]


def _write(descriptor: int, data: memoryview) -> int:
    """Write to a descriptor that is writable, for as long as it is; return the number of bytes."""
    written = os.write(descriptor, data[:AT_ONCE])
    while written < len(data) and _is_writable(descriptor):
        written += os.write(descriptor, data[written : written + AT_ONCE])
    return written


def _is_writable(descriptor: int) -> bool:
    try:
        return bool(select.select([], [descriptor], [], 0)[1])
    except (OSError, ValueError):  # Windows selects sockets only, and no system descriptors beyond some number
        return False


@contextmanager
def _naming() -> Generator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise SinkError(f"standard output cannot be written: {error.strerror}") from error
