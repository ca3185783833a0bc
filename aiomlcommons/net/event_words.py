"""What is said of a call that failed or was given up, in the log and in notes of errors."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager

import anyio

from aiomlcommons.errors import ApiError, words_of

log = logging.getLogger("aiomlcommons")
# Of a reason that is longer only the beginning is told: some servers put a stack trace into it.
LONGEST = 300


def reason(error: BaseException) -> str:
    """Return why a call failed, as one line without its request: the status and the server's reason, or the error."""
    if isinstance(error, ApiError):
        words = f"{error.status} {error.reason or type(error).__name__}"
    else:
        words = str(getattr(error, "message", "")) or words_of(error) or type(error).__name__
    return one_line(words)


def one_line(words: str) -> str:
    """Return a server's words as one line of bounded length."""
    line = " ".join(words.split()).rstrip(".")
    return line if len(line) <= LONGEST else f"{line[:LONGEST]} ..."


def tag(opaque_id: str | None) -> str:
    """Return the end of a line that names a call; empty without an id."""
    return f" [x-opaque-id {opaque_id}]" if opaque_id else ""


@contextmanager
def told_if_cancelled(words: Callable[[], str]) -> Generator[None]:
    """Tell what was waited for if that is cancelled, as by a deadline: in a note of the error, and at INFO.

    ``words`` says it, after "given up after 5.0 s: ".
    """
    began = time.monotonic()
    try:
        yield
    except anyio.get_cancelled_exc_class() as cancelled:
        told = f"given up after {time.monotonic() - began:.1f} s: {words()}"
        cancelled.add_note(told)
        log.info("%s", told)
        raise
