"""Durable files: advisory locks, fsync of folders, and what identifies a file when a job resumes."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from aiomlcommons.ingest.errors import SinkError

REMEDY = "it was changed or removed since; remove the checkpoint to begin anew"


def lock(descriptor: int, path: Path) -> None:
    """Take an advisory lock (flock) until the descriptor is closed; on Windows do nothing. Raises SinkError if held."""
    if sys.platform != "win32":
        import fcntl

        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SinkError(f"{path} is being written by another job: wait for its end, or name another file") from None


def sync_folder(path: Path) -> None:
    """Fsync a folder, so that files which were created or renamed in it are durable; does nothing on Windows."""
    if os.name == "posix":
        folder = os.open(path, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


# Bytes before a position whose checksum tells the file from another one: more than one line of most files.
TAIL = 256
