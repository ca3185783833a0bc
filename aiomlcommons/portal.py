"""An event loop in a thread of its own, for callers that have none."""

from __future__ import annotations

import asyncio
import inspect
import threading
import weakref
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from contextlib import AbstractAsyncContextManager, ExitStack, contextmanager
from functools import partial
from typing import Any, Generic, TypeVar, TypeVarTuple, Unpack, cast

import anyio
from anyio.from_thread import BlockingPortal, start_blocking_portal

from aiomlcommons.errors import SessionClosed
from aiomlcommons.owner import Owner

T = TypeVar("T")
Owned = TypeVar("Owned")
Given = TypeVarTuple("Given")
CLOSED_MEANWHILE = "the session was closed meanwhile"


class Portal(Generic[Owned]):
    """A context that is open on an event loop in a thread of its own, until ``close``; ``value`` is what it holds.

    Any thread may call it, but that of the loop, which would wait for itself: it raises RuntimeError there. It closes
    with ``holder``: when that is collected, or the process ends. A forked process does not have the thread, so there it
    is closed, and closing it does nothing.
    """

    def __init__(self, context: AbstractAsyncContextManager[Owned], holder: object) -> None:
        with ExitStack() as stack:
            self._portal: BlockingPortal = stack.enter_context(start_blocking_portal(name="aiomlcommons"))
            stack.callback(self._portal.call, self._portal.stop, True)  # what still runs would be waited for
            self._thread: threading.Thread = self._portal.call(threading.current_thread)  # an ident is used anew
            # In a forked process anyio's context is to take the thread for ended; to its end it would wait for it.
            abandon = partial(setattr, self._portal, "_event_loop_thread_id", None)
            self._owner: Owner = self._portal.call(Owner, self._portal, abandon)
            self.value = stack.enter_context(self._portal.wrap_async_context_manager(context))
            self._stack = stack.pop_all()
        self._closed = False
        weakref.finalize(holder, _close_collected, self.close)

    @property
    def closed(self) -> bool:
        """Whether it takes calls no more."""
        return self._closed or self._owner.is_forked

    def close(self) -> None:
        """Leave the context, cancel what still runs, and end the thread. Closing it twice is allowed."""
        if self._owner.is_forked:
            return
        self._refuse_own_thread()
        self._closed = True
        self._stack.close()

    def call(self, function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """Call a function on the event loop, await its result if that is a coroutine, and return it.

        Raises SessionClosed if the portal is closed, before or meanwhile.
        """

        async def run() -> Any:
            result = function(*arguments, **options)
            return await result if inspect.iscoroutine(result) else result

        with self._task(run) as future:
            return _result(future)

    async def call_async(self, function: Callable[[Unpack[Given]], Awaitable[T]], *arguments: *Given) -> T:
        """Call an async function on the event loop, from another one, and await its result.

        Cancelling the await cancels the call, and waits for its end. Raises SessionClosed as ``call`` does.
        """
        self._check_open()
        try:
            return await self._portal.call_async(function, *arguments)
        except CancelledError:
            raise SessionClosed(CLOSED_MEANWHILE) from None

    @contextmanager
    def entered(self, context: AbstractAsyncContextManager[T]) -> Iterator[T]:
        """Enter a context on the event loop, and leave it there, in the same task.

        An interrupt leaves it by cancellation: an async context is not made for a KeyboardInterrupt.
        """
        entered, leaving, errors = Future[T](), anyio.Event(), list[Exception]()

        async def run() -> None:
            async with context as value:
                entered.set_result(value)
                await leaving.wait()
                if errors:
                    raise errors[0]

        with self._task(run) as future:
            either: tuple[Future[Any], Future[Any]] = (entered, future)
            wait(either, return_when=FIRST_COMPLETED)
            if future.done():
                _result(future)  # an error
            try:
                yield entered.result()
            except Exception as error:
                errors.append(error)
            if not future.done() and not self.closed:
                self._portal.call(leaving.set)
                _result(future)

    def _check_open(self) -> None:
        """Raise SessionClosed if it takes calls no more, RuntimeError on the thread of the loop."""
        if self._owner.is_forked:
            self._owner.check("the session")
        if self._closed:
            raise SessionClosed("the session is closed; create a new one with Session(...)")
        self._refuse_own_thread()

    def _refuse_own_thread(self) -> None:
        """Raise RuntimeError on the thread of the loop, before anything is done."""
        if threading.current_thread() is self._thread:
            raise RuntimeError(
                "the session is used by a function or generator that was given to one of its own calls, and so runs on "
                "its event loop: give a list in place of a generator, let a callback be async and await "
                "ml.async_session, or use a second session there"
            )

    @contextmanager
    def _task(self, run: Callable[[], Awaitable[T]]) -> Iterator[Future[T]]:
        """Run a task on the event loop. An interrupt, such as Ctrl-C, cancels it, and is raised once it has ended."""
        self._check_open()
        scopes, ended = list[anyio.CancelScope](), threading.Event()
        future: Future[T | None] | None = None

        async def task() -> T | None:
            try:
                with anyio.CancelScope() as scope:
                    scopes.append(scope)
                    return await run()
            finally:
                ended.set()
            return None  # cancelled, which nobody waits for

        def cancel() -> bool:
            for scope in scopes:
                scope.cancel()
            return bool(scopes)

        try:
            # Within `try`, since an interrupt may come when the task runs already, and its future is not here yet.
            future = self._portal.start_task_soon(task)
            yield cast("Future[T]", future)
        finally:
            runs = (future is None or not future.done()) and not self.closed
            if runs and self._portal.call(cancel):  # by then the task has begun, or never does
                ended.wait()


def _result(future: Future[T]) -> T:
    try:
        return future.result()
    except CancelledError:
        raise SessionClosed(CLOSED_MEANWHILE) from None


def _close_collected(close: Callable[[], None]) -> None:
    """Close a portal for the garbage collector, which may run on any thread.

    On that of an event loop it must not wait: what it waits for may need this very loop.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        close()
    else:
        threading.Thread(target=close, name="aiomlcommons closes").start()
