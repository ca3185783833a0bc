"""The worker of an actor: what it opened is closed whoever collects it."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from aiomlcommons.integrations._actors import Worker


class Slow(Worker[int, int]):
    """A worker whose context is closed only when it may be."""

    def __init__(self, may_close: threading.Event, closed: threading.Event) -> None:
        super().__init__()
        self._events = (may_close, closed)

    def _working(self) -> AbstractAsyncContextManager[Callable[[int], Awaitable[int]]]:
        return _working(*self._events)


@asynccontextmanager
async def _working(
    may_close: threading.Event, closed: threading.Event
) -> AsyncGenerator[Callable[[int], Awaitable[int]]]:
    async def double(value: int) -> int:
        return 2 * value

    try:
        yield double
    finally:
        await asyncio.to_thread(may_close.wait)
        closed.set()


@pytest.mark.asyncio
async def test_a_worker_that_is_collected_on_an_event_loop_does_not_block_it() -> None:
    may_close, closed = threading.Event(), threading.Event()
    worker = Slow(may_close, closed)
    with ThreadPoolExecutor(1) as thread:  # at whose end no thread holds the worker's method any more
        assert await asyncio.get_running_loop().run_in_executor(thread, worker._run, 21) == 42
    del worker
    gc.collect()
    assert not closed.is_set()
    may_close.set()  # which is reached only because nothing waited above
    await asyncio.to_thread(_join)
    assert closed.is_set()


def test_a_worker_that_is_collected_elsewhere_is_closed_at_once() -> None:
    may_close, closed = threading.Event(), threading.Event()
    may_close.set()
    worker = Slow(may_close, closed)
    assert worker._run(21) == 42
    del worker
    gc.collect()
    assert closed.is_set()


def _join() -> None:
    for thread in threading.enumerate():
        if thread.name == "aiomlcommons closes":
            thread.join()
