"""Ctrl-C, SIGTERM and SIGHUP: the first one ends a command in good order, the second one kills the process.

SIGHUP comes when a terminal or a connection by ssh is closed.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import FrameType

from aiomlcommons.cli.exit_codes import BY_SIGNAL

CAUGHT = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
_WORDS = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated"}


class Interrupted(BaseException):
    """A signal ended the command; ``code`` is the exit code, and the text tells which it was."""

    def __init__(self, number: int) -> None:
        self.code = BY_SIGNAL + number
        super().__init__(_WORDS.get(signal.Signals(number), "hung up"))


def _interrupt(number: int, _: FrameType | None) -> None:
    raise Interrupted(number)


def raise_interrupted() -> None:
    """Let SIGTERM and SIGHUP raise Interrupted from now on, as Ctrl-C raises KeyboardInterrupt."""
    for number in CAUGHT:
        if number != signal.SIGINT and not _is_ignored(number):
            signal.signal(number, _interrupt)


def _is_ignored(number: int) -> bool:
    """Return whether the caller ignores a signal, as ``nohup`` does with SIGHUP."""
    return number not in {signal.SIGINT, signal.SIGTERM} and signal.getsignal(number) is signal.SIG_IGN


def ignore() -> None:
    """Ignore signals from now on: the command has ended, and its exit code counts."""
    for number in CAUGHT:
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def cancelling() -> Iterator[None]:
    """Let the first signal cancel the task, which raises Interrupted then, and the second one kill the process."""
    import asyncio  # these are slow, so that a signal meanwhile must find its handler

    from aiomlcommons.progress.terminal import show_cursors

    loop, tasks = asyncio.get_running_loop(), [asyncio.current_task()]
    before, received = {number: signal.getsignal(number) for number in CAUGHT if not _is_ignored(number)}, list[int]()

    def cancel(number: int) -> None:
        received.append(number)
        before.update(dict.fromkeys(before, signal.SIG_DFL))
        restore()
        for task in filter(None, tasks):
            task.cancel()
        show_cursors()  # now, because a process that the second one kills gives nothing back

    def restore() -> None:
        for number, handler in before.items():
            if loop.remove_signal_handler(number):
                signal.signal(number, handler)

    # A loop on Windows has no handlers: there asyncio itself lets Ctrl-C cancel the task. Neither has one that does not
    # run in the main thread.
    with suppress(NotImplementedError, ValueError, RuntimeError):
        for number in before:
            loop.add_signal_handler(number, cancel, number)
    try:
        yield
    except asyncio.CancelledError:
        if received:
            raise Interrupted(received[0]) from None
        raise
    finally:
        with suppress(NotImplementedError):
            restore()
