"""Work in a forked process, and in a thread with an event loop of its own: what came of it, in words."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import warnings
from collections.abc import Awaitable, Callable
from typing import Any

PATIENCE = 20
"""Seconds after which work counts as hanging. None of it takes any."""
HUNG = "hung"


def forked(work: Callable[[], Any]) -> str:
    """Do work in a forked process, and return its result or error in words; ``HUNG`` if it does not end."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # there are threads: that is what is tried
        child = os.fork()
    if not child:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(PATIENCE)
        try:
            os.write(writing, _words(work).encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        words = pipe.read()
    _, status = os.waitpid(child, 0)
    return words if status == 0 else HUNG


def exits(leave: Callable[[], Any]) -> str:
    """Fork, and let the forked process end as a program does, after ``leave``; return its exit status, or ``HUNG``."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if not child:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(PATIENCE)
        leave()
        raise AssertionError("the process did not end")
    _, status = os.waitpid(child, 0)
    return HUNG if os.WIFSIGNALED(status) else str(os.waitstatus_to_exitcode(status))


def on_another_loop(make: Callable[[], Awaitable[Any]]) -> str:
    """Await something on an event loop in another thread, and return its result or error in words."""
    found: list[str] = []

    async def run() -> Any:
        return await make()

    thread = threading.Thread(target=lambda: found.append(_words(lambda: asyncio.run(run()))), daemon=True)
    thread.start()
    thread.join(PATIENCE)
    return found[0] if found else HUNG


def _words(work: Callable[[], Any]) -> str:
    try:
        return repr(work())
    except Exception as error:
        return f"{type(error).__name__}: {error}"
