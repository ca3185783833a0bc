"""Objects for callers without an event loop, whose session lives on one in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Generic, TypeVar

from aiomlcommons.portal import Portal
from aiomlcommons.session import Session

Input = TypeVar("Input")
Output = TypeVar("Output")


def session_of(url: str | None, options: Mapping[str, Any]) -> Session:
    """Return a session with the cluster at ``url``, or with that of the environment."""
    return Session.from_env(**options) if url is None else Session(url, **options)


class Worker(Generic[Input, Output]):
    """The base of objects that open a session on first use. Can be pickled; a copy opens its own session.

    So does a forked process.

    A subclass implements ``_working``: a context manager whose async function does the work. The context is closed by
    ``close``, when the object is collected, or when the process ends.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._opened: Portal[Callable[[Input], Awaitable[Output]]] | None = None

    def _working(self) -> AbstractAsyncContextManager[Callable[[Input], Awaitable[Output]]]:
        """Return the context; it must not refer to this object, which would then never be collected."""
        raise NotImplementedError

    def _run(self, value: Input) -> Output:
        """Call the function of ``_working``, which is opened first if it is not; return its result."""
        opened = self._open()
        result: Output = opened.call(opened.value, value)
        return result

    async def _run_async(self, value: Input) -> Output:
        """Do as ``_run`` does, from an event loop, which goes on meanwhile. Cancelling it cancels the call."""
        opened = self._opened
        if opened is None or opened.closed:
            opened = await asyncio.to_thread(self._open)
        result: Output = await opened.call_async(opened.value, value)
        return result

    def close(self) -> None:
        """Close the session and end its thread; a later call opens a new one."""
        with self._lock:
            opened, self._opened = self._opened, None
        if opened is not None:
            opened.close()

    def _open(self) -> Portal[Callable[[Input], Awaitable[Output]]]:
        with self._lock:
            if self._opened is None or self._opened.closed:
                self._opened = Portal(self._working(), self)
            return self._opened

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in {"_lock", "_opened"}}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        Worker.__init__(self)
        self.__dict__.update(state)
