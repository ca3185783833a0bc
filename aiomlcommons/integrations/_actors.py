"""Callable objects for Ray actors, whose session lives on an event loop in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, ExitStack
from typing import Any, Generic, TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal

from aiomlcommons.session import Session

Input = TypeVar("Input")
Output = TypeVar("Output")


def session_of(url: str | None, options: Mapping[str, Any]) -> Session:
    """Return a session with the cluster at ``url``, or with that of the environment."""
    return Session.from_env(**options) if url is None else Session(url, **options)


class Worker(Generic[Input, Output]):
    """The base of callable objects that open a session on first use. Can be pickled; a copy opens its own session.

    A subclass implements ``_working``: a context manager whose async function does the work. The context is closed by
    ``close``, when the object is collected, or when the process ends.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._opened: _Opened[Input, Output] | None = None

    def _working(self) -> AbstractAsyncContextManager[Callable[[Input], Awaitable[Output]]]:
        """Return the context; it must not refer to this object, which would then never be collected."""
        raise NotImplementedError

    def _run(self, value: Input) -> Output:
        """Call the function of ``_working``, which is opened first if it is not; return its result."""
        return self._open().run(value)

    def close(self) -> None:
        """Close the session and end its thread; a later call opens a new one."""
        with self._lock:
            opened, self._opened = self._opened, None
        if opened is not None:
            opened.close()

    def _open(self) -> _Opened[Input, Output]:
        with self._lock:
            if self._opened is None:
                self._opened = _Opened(self._working())
                # A finalizer also runs when the process exits.
                weakref.finalize(self, _close, self._opened.close)
            return self._opened

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in {"_lock", "_opened"}}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        Worker.__init__(self)
        self.__dict__.update(state)


def _close(close: Callable[[], None]) -> None:
    """Close a context for the garbage collector, which may run on any thread.

    On that of an event loop it must not wait: what it waits for may need this very loop.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        close()
    else:
        threading.Thread(target=close, name="aiomlcommons closes").start()


class _Opened(Generic[Input, Output]):
    """A context that is open on an event loop in a thread of its own, for callers without an event loop."""

    def __init__(self, context: AbstractAsyncContextManager[Callable[[Input], Awaitable[Output]]]) -> None:
        with ExitStack() as stack:
            self._portal: BlockingPortal = stack.enter_context(start_blocking_portal(name="aiomlcommons"))
            self._work = stack.enter_context(self._portal.wrap_async_context_manager(context))
            self.close = stack.pop_all().close

    def run(self, value: Input) -> Output:
        """Call the function on the event loop; return its result."""
        future = self._portal.start_task_soon(self._work, value)
        try:
            return future.result()
        finally:
            future.cancel()  # has no effect unless the caller was interrupted
