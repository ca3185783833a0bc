"""A writer for a named pipe, which ends however the test does."""

from __future__ import annotations

import os
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def written_to(fifo: Path, data: bytes) -> Generator[None]:
    """Write data into a named pipe beside the test. Opening it waits for a reader, also where the test has failed."""
    writer = threading.Thread(target=fifo.write_bytes, args=(data,))
    writer.start()
    try:
        yield
    finally:
        # A reader of our own releases a writer that nobody read from.
        reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
        writer.join()
        os.close(reader)
