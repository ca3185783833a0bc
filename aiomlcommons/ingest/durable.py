"""Durable files: locks, fsync of folders, and what identifies a file when a job resumes.

The lock is on the file that is written, and its descriptor holds it: no lock file is left over, and the system frees it
however the process ends. ``filelock`` locks a file of its own, which it empties when it opens it and leaves behind.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import IO, Any

from aiomlcommons.ingest.errors import SinkError

REMEDY = "it was changed or removed since; remove the checkpoint to begin anew"
# Bytes before a position whose checksum tells the file from another one: more than one line of most files.
TAIL = 256


def lock(descriptor: int, path: Path) -> None:
    """Lock an open file until the descriptor is closed. Raises SinkError if another one holds the lock."""
    try:
        _lock(descriptor)
    except (BlockingIOError, PermissionError):
        raise SinkError(f"{path} is being written by another job: wait for its end, or name another file") from None


if sys.platform == "win32":
    import msvcrt

    # A byte that no file has: Windows lets nobody else read or write what is locked.
    _FAR = 1 << 62

    def _lock(descriptor: int) -> None:
        place = os.lseek(descriptor, 0, os.SEEK_CUR)
        os.lseek(descriptor, _FAR, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        finally:
            os.lseek(descriptor, place, os.SEEK_SET)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def rename_open(file: IO[Any], path: Path, target: Path) -> None:
    """Rename an open file while it is locked; on Windows, which renames no open file, close it first."""
    if sys.platform == "win32":
        file.close()
    path.replace(target)


def sync_folder(path: Path) -> None:
    """Fsync a folder, so that files which were created or renamed in it are durable; does nothing on Windows."""
    if os.name == "posix":
        folder = os.open(path, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
