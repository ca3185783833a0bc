"""Ctrl-C and SIGTERM: the first one ends a command in good order, the second one kills the process."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

# What a shell reports for a process that the signal has ended.
EXIT_CODE = 128


class Interrupted(BaseException):
    """A signal ended the command; ``code`` is the exit code, and the text tells which it was."""

    def __init__(self, number: int) -> None:
        self.code = EXIT_CODE + number
        super().__init__("interrupted" if number == signal.SIGINT else "terminated")


def _interrupt(number: int, _: FrameType | None) -> None:
    raise Interrupted(number)


@contextmanager
def raising() -> Iterator[None]:
    """Let SIGTERM raise Interrupted, as Ctrl-C raises KeyboardInterrupt. Only the main thread can."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def cancelling() -> Iterator[None]:
    """Let the first signal cancel the task, which raises Interrupted then, and the second one kill the process."""
    loop, tasks = asyncio.get_running_loop(), [asyncio.current_task()]
    received: list[int] = []

    def cancel(number: int) -> None:
        received.append(number)
        for one in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(one)
            signal.signal(one, signal.SIG_DFL)
        for task in filter(None, tasks):
            task.cancel()

    # A loop on Windows has no handlers: there Ctrl-C cancels the task by itself, and SIGTERM does not exist. Neither
    # has one that does not run in the main thread.
    with contextlib.suppress(NotImplementedError, ValueError, RuntimeError):
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, cancel, number)
    try:
        yield
    except asyncio.CancelledError:
        if received:
            raise Interrupted(received[0]) from None
        raise
