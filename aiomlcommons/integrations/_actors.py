"""What works in an actor: callable objects whose session lives on an event loop in a thread of its own."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, ExitStack
from typing import Any, Generic, TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal

from aiomlcommons.session import Session

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")


def session_of(url: str | None, options: Mapping[str, Any]) -> Session:
    """A session on the cluster at ``url``, or on that of the environment."""
    return Session.from_env(**options) if url is None else Session(url, **options)


class Worker(Generic[Asked, Answer]):
    """Opens what it works with when it is first asked; may be pickled, and a copy opens its own.

    A subclass says with ``_working`` what that is: a context that gives an async function. It ends with the object, at
    the end of the process, or by ``close``.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._opened: _Opened[Asked, Answer] | None = None

    def _working(self) -> AbstractAsyncContextManager[Callable[[Asked], Awaitable[Answer]]]:
        """What holds no reference to this object, which else would never be collected."""
        raise NotImplementedError

    def _ask(self, what: Asked) -> Answer:
        """What the function of ``_working`` answers, which is opened now if it is not."""
        return self._open().ask(what)

    def close(self) -> None:
        """Close the session and end its thread; a later call opens another."""
        with self._lock:
            opened, self._opened = self._opened, None
        if opened is not None:
            opened.close()

    def _open(self) -> _Opened[Asked, Answer]:
        with self._lock:
            if self._opened is None:
                self._opened = _Opened(self._working())
                # Also at the end of the process, where nothing is collected any more.
                weakref.finalize(self, self._opened.close)
            return self._opened

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in {"_lock", "_opened"}}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        Worker.__init__(self)
        self.__dict__.update(state)


class _Opened(Generic[Asked, Answer]):
    """A context that is open on an event loop in a thread of its own, for callers that have none."""

    def __init__(self, context: AbstractAsyncContextManager[Callable[[Asked], Awaitable[Answer]]]) -> None:
        with ExitStack() as stack:
            self._portal: BlockingPortal = stack.enter_context(start_blocking_portal(name="aiomlcommons"))
            self._work = stack.enter_context(self._portal.wrap_async_context_manager(context))
            self.close = stack.pop_all().close

    def ask(self, what: Asked) -> Answer:
        """What the function answers."""
        future = self._portal.start_task_soon(self._work, what)
        try:
            return future.result()
        finally:
            future.cancel()  # where the caller is interrupted; else it is done
