"""Blocking work in a thread, which a cancellation waits for: what the work opens is not lost, and nothing runs on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

import anyio
import anyio.to_thread

T = TypeVar("T")


async def run_to_end(work: Callable[[], T], undo: Callable[[T], object] | None = None) -> T:
    """Run blocking work in a thread and return its result; if the task is cancelled meanwhile, ``undo`` gets that.

    A thread cannot be cancelled. ``asyncio`` would go on without it: what it opens would stay open, and what it writes
    would be written after the end. Raises as ``work`` does.
    """
    running = asyncio.ensure_future(anyio.to_thread.run_sync(work))
    try:
        return await asyncio.shield(running)
    except asyncio.CancelledError:
        await _ended(running)
        if undo is not None and not running.cancelled() and running.exception() is None:
            await _ended(asyncio.ensure_future(anyio.to_thread.run_sync(partial(undo, running.result()))))
        raise


async def _ended(running: asyncio.Future[Any]) -> None:
    """Wait for an end, however often the task is cancelled."""
    with anyio.CancelScope(shield=True):
        while not running.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait([running])
