"""Keys that are typed while something is drawn on the terminal."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

QUIT = b"qQ"


@contextmanager
def quit_key() -> Iterator[asyncio.Event]:
    """Give an event that is set when q is typed; the terminal is restored at the end.

    Without a terminal, and on Windows, it is never set: Ctrl-C ends the command there.
    """
    pressed = asyncio.Event()
    try:
        import termios
        import tty
    except ImportError:
        yield pressed
        return
    if not sys.stdin.isatty():
        yield pressed
        return
    number, loop = sys.stdin.fileno(), asyncio.get_running_loop()

    def read() -> None:
        typed = os.read(number, 64)
        if not typed or set(typed) & set(QUIT):
            loop.remove_reader(number)
            pressed.set()

    before = termios.tcgetattr(number)
    try:
        tty.setcbreak(number)
        loop.add_reader(number, read)
        yield pressed
    finally:
        loop.remove_reader(number)
        termios.tcsetattr(number, termios.TCSADRAIN, before)
