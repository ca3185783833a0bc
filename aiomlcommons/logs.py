"""What the package does, shown: ``show_logs()`` writes its log lines to standard error, for programs without logging.

A program that configures logging itself needs none of this: every line goes to ``logging.getLogger("aiomlcommons")``.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping
from typing import TextIO

from aiomlcommons.masking import without_escapes

log = logging.getLogger("aiomlcommons")

LEVELS: Mapping[str, int] = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
VARIABLE = "AIOMLCOMMONS_LOG"
FORMAT = "%(asctime)s.%(msecs)03d %(levelname)-7s %(message)s"


class _Formatter(logging.Formatter):
    """Keeps from the terminal what would change it: a line may have the words of a server."""

    def format(self, record: logging.LogRecord) -> str:
        return without_escapes(super().format(record))


class _Shown(logging.StreamHandler[TextIO]):
    """Writes to a stream; without one, to what ``sys.stderr`` is when a line is written, as notebooks replace it."""

    def __init__(self) -> None:
        super().__init__()
        self.fixed: TextIO | None = None
        self.setFormatter(_Formatter(FORMAT, datefmt="%H:%M:%S"))

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = self.fixed or sys.stderr
        if not any(getattr(other, "stream", None) is self.stream for other in logging.getLogger().handlers):
            super().emit(record)  # else a handler of the root, as of basicConfig, writes the line to the same place


_handler = _Shown()


def show_logs(level: str | int = "INFO", *, stream: TextIO | None = None) -> Callable[[], None]:
    """Write the package's log lines to standard error, with time and level; return a function that undoes it.

    Called again, it changes level and stream: no line is written twice, nor where a handler of the root logger writes
    to the same stream already. ``AIOMLCOMMONS_LOG=debug`` in the environment does the same when the package is
    imported. docs/logging.md says what is told at which level.

    Args:
        level: The lowest level that is shown: ``debug``, ``info``, ``warning`` or ``error`` in any case, or a number of
            the logging module. Default: INFO.
        stream: Where the lines go. Default: ``sys.stderr``, as it is at that time.

    Raises ValueError or TypeError for another level, TypeError for what has no ``write``.
    """
    number = _number(level)
    if stream is not None and not hasattr(stream, "write"):
        raise TypeError(f"the stream must be an open text file, such as sys.stdout, not {type(stream).__name__}")
    before = log.level, _handler.fixed, _handler in log.handlers
    log.setLevel(number)
    _handler.fixed = stream
    log.addHandler(_handler)  # which does nothing if it is there

    def undo() -> None:
        log.setLevel(before[0])
        _handler.fixed = before[1]
        if not before[2]:
            log.removeHandler(_handler)

    return undo


def follow_environment(environ: Mapping[str, str]) -> None:
    """Show the log lines that ``AIOMLCOMMONS_LOG`` asks for; warn of a value that is no level."""
    value = environ.get(VARIABLE, "").strip()
    if not value:
        return
    try:
        show_logs(value)
    except ValueError as error:
        show_logs("warning")  # as Python does without any handler, but with what follows in one format
        log.warning("%s is ignored: %s", VARIABLE, error)


def _number(level: str | int) -> int:
    if isinstance(level, str):
        if (number := LEVELS.get(level.strip().lower())) is None:
            raise ValueError(f"the level must be {', '.join(list(LEVELS)[:-1])} or {list(LEVELS)[-1]}, not {level!r}")
        return number
    if isinstance(level, bool) or not isinstance(level, int):
        raise TypeError(f"the level must be a text such as 'info', or a number, not {type(level).__name__}")
    if level < 0:
        raise ValueError(f"the level must be at least 0, not {level}")
    return level
