"""What a process holds: memory, tasks, sockets, files and threads, as the system counts them."""

from __future__ import annotations

import asyncio
import gc
import os
from contextlib import suppress
from pathlib import Path

import attrs

PROC = Path("/proc/self")


@attrs.frozen
class Resources:
    """What this process holds at a moment."""

    minute: float
    memory: float
    """Resident, in MB."""
    tasks: int
    sockets: int
    files: int
    threads: int

    def __str__(self) -> str:
        return (
            f"{self.memory:,.1f} MB, {self.tasks} tasks, {self.sockets} sockets, {self.files} files, "
            f"{self.threads} threads"
        )

    @property
    def brief(self) -> str:
        """The same in a few characters."""
        return f"{self.memory:.0f}/{self.tasks}/{self.sockets}/{self.files}/{self.threads}"


def resources(minute: float) -> Resources:
    """Measure this process, without what the garbage collector would free. Needs Linux."""
    gc.collect()
    links = []
    for path in list((PROC / "fd").iterdir()):
        with suppress(OSError):  # that of the listing itself is closed by now
            links.append(str(path.readlink()))
    sockets = sum(link.startswith("socket:") for link in links)
    pages = int((PROC / "statm").read_text().split()[1])
    return Resources(
        minute=minute,
        memory=pages * os.sysconf("SC_PAGE_SIZE") / 1e6,
        tasks=len(asyncio.all_tasks()),
        sockets=sockets,
        files=len(links) - sockets,
        threads=len(list((PROC / "task").iterdir())),
    )
