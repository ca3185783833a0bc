"""Standard streams that are closed, whose place no file of a command may take, or full."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

# The wrong way round, so that a job which reads or writes the stream itself is told, instead of finding no rows.
_WAYS = {"stdin": os.O_WRONLY, "stdout": os.O_RDONLY, "stderr": os.O_RDONLY}


def replace_closed() -> None:
    """Occupy the descriptors of closed streams, and let Python's own streams lead nowhere."""
    for number, (name, way) in enumerate(_WAYS.items()):
        if getattr(sys, name) is None:
            from pathlib import Path  # takes long to import, and streams are seldom closed

            _occupy(number, way)
            # What is printed is lost, as the caller wants.
            setattr(sys, name, Path(os.devnull).open("r" if name == "stdin" else "w", encoding="utf-8"))  # noqa: SIM115


def flush_errors() -> None:
    """Flush standard error; drop what it cannot take, or Python ends with an exit code of its own (120)."""
    try:
        sys.stderr.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())


def _occupy(number: int, way: int) -> None:
    """Open the null device under a number, if that is free; all lower ones are taken."""
    with suppress(OSError):
        os.fstat(number)
        return
    os.open(os.devnull, way)
