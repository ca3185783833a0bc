"""Files that survive a crash, and that no two jobs write at once."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from aiomlcommons.ingest.errors import SinkError

REMEDY = "it was changed or removed since; remove the checkpoint to begin anew"


def hold(descriptor: int, path: Path) -> None:
    """Let nobody else write here as long as this is open, where the system can do that. Raises SinkError."""
    if sys.platform != "win32":
        import fcntl

        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SinkError(f"{path} is being written by another job: wait for its end, or name another file") from None


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable, where the system can do that."""
    if os.name == "posix":
        folder = os.open(path, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


# So many bytes before a place tell its file from another one: more than one line of most files.
TAIL = 256
