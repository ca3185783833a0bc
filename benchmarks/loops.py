"""The event loop that a benchmark runs under: asyncio's own, or that of uvloop."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from importlib import import_module
from typing import Any, TypeVar

T = TypeVar("T")


def run(main: Coroutine[Any, Any, T], *, uvloop: bool = False) -> T:
    """Run a program to its end."""
    # By name, because type checkers of those who have no uvloop would miss it.
    factory = import_module("uvloop").new_event_loop if uvloop else None
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(main)
