"""Bounded fan-out with backpressure, by structured concurrency: batches, and workers over them. Independent of models.

A semaphore bounds the items in memory: a slow consumer keeps its slots occupied, which stops reading the source.
Compare ``concurrent.futures.Executor.map(buffersize=...)`` and aiostream's ``map(task_limit=...)``.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager
from typing import Any, Generic, TypeVar

import anyio
import attrs

A = TypeVar("A")
B = TypeVar("B")
# Of what items in flight waited for when all were cancelled, so much is told.
NOTES = 3


async def batched(source: Iterable[A] | AsyncIterable[A], size: int) -> AsyncGenerator[list[A]]:
    """Group the items of a source into lists of ``size``; the last one may be shorter."""
    if isinstance(source, AsyncIterable):
        batch: list[A] = []
        async for item in source:
            batch.append(item)
            if len(batch) == size:
                yield batch
                batch = []
        if batch:
            yield batch
    else:
        items = iter(source)
        while some := list(itertools.islice(items, size)):
            yield some


@attrs.frozen
class _Done(Generic[B]):
    value: B | None = None
    error: Exception | None = None


class Results(Generic[B]):
    """The results of ``fan_out``, an async iterator in the order of the source or of completion.

    An error is raised at the position of its item. One of the ``urgent`` types is raised as soon as the results that
    are ready in order have been taken, without waiting for unfinished items.
    """

    def __init__(self, slots: anyio.Semaphore, *, ordered: bool, urgent: tuple[type[Exception], ...] = ()) -> None:
        self._slots = slots
        self._ordered = ordered
        self._urgent_types = urgent
        self._urgent: _Done[B] | None = None
        self._done: dict[int, _Done[B]] = {}
        self._next = 0
        self._changed = anyio.Event()
        self._end: type[Exception] | None = None
        self.notes: dict[str, None] = {}

    def __aiter__(self) -> AsyncIterator[B]:
        return self

    async def __anext__(self) -> B:
        while (done := self._take()) is None:
            if self._end is not None:
                raise self._end
            if self._changed.is_set():
                self._changed = anyio.Event()
            await self._changed.wait()
        self._slots.release()
        if done.error is not None:
            raise done.error
        return done.value  # type: ignore[return-value]  # B itself may be an optional type

    def _take(self) -> _Done[B] | None:
        index = self._next if self._ordered else next(iter(self._done), 0)
        done = self._done.pop(index, None)
        self._next += done is not None
        return done or self._urgent

    def put(self, index: int, done: _Done[B]) -> None:
        """Store a result, and wake the consumer only if it can take one now."""
        self._done[index] = done
        if self._ordered and isinstance(done.error, self._urgent_types):
            self._urgent = done
        if index == self._next or not self._ordered or self._urgent is not None:
            self._changed.set()

    def end(self, error: type[Exception]) -> None:
        """Mark the end: once the stored results are taken, the iterator raises ``error``."""
        self._end = error
        self._changed.set()


@asynccontextmanager
async def fan_out(
    work: Callable[[A], Awaitable[B]],
    source: AsyncGenerator[A],
    *,
    concurrency: int,
    ordered: bool,
    urgent: tuple[type[Exception], ...] = (),
) -> AsyncGenerator[Results[B]]:
    """Run ``work`` over the items of a source, at most ``concurrency`` at once, and stream the results.

    An item holds its slot from before it is read until its result has been taken. This is the backpressure: a slow
    consumer stops the source, and memory is bounded by ``concurrency`` items. Leaving the context cancels the items in
    flight and closes the source.

    Args:
        work: Turns one item into its result.
        source: The items; closed at the end.
        concurrency: Items in flight at once, finished but untaken results included.
        ordered: Yield results in the order of the source, else as they complete.
        urgent: Types of errors that are raised without waiting for the items before them.
    """
    slots = anyio.Semaphore(concurrency, fast_acquire=True)
    results: Results[B] = Results(slots, ordered=ordered, urgent=urgent)
    try:
        async with beside(_feed, work, source, concurrency, slots, results):
            yield results
    except anyio.get_cancelled_exc_class() as error:
        for note in itertools.islice(results.notes, NOTES):
            error.add_note(note)
        raise
    finally:
        results.end(anyio.ClosedResourceError)
        with anyio.CancelScope(shield=True):
            await source.aclose()


@asynccontextmanager
async def beside(work: Callable[..., Coroutine[Any, Any, None]], *arguments: Any) -> AsyncGenerator[None]:
    """Run a background task for as long as the context is open; exceptions of the body propagate unwrapped."""
    raised: BaseException | None = None
    async with anyio.create_task_group() as group:
        group.start_soon(work, *arguments)
        try:
            yield
        except Exception as error:
            raised = error  # the task group would wrap it in an ExceptionGroup
        except anyio.get_cancelled_exc_class() as error:
            # The group would swallow it as its own if a deadline within the body expires at the same moment.
            raised = error
            raise
        group.cancel_scope.cancel()
    if raised is not None:
        raise raised


async def _feed(
    work: Callable[[A], Awaitable[B]],
    source: AsyncGenerator[A],
    concurrency: int,
    slots: anyio.Semaphore,
    results: Results[B],
) -> None:
    # The source is read in this one task: it may hold cancel scopes, which belong to the task that entered them.
    # Workers are reused, because starting a task for each item would cost more than handing the item over.
    items: deque[tuple[int, A]] = deque()
    available = anyio.Semaphore(0, fast_acquire=True)
    source_error: Exception | None = None
    read = 0
    async with anyio.create_task_group() as workers:
        while True:
            await slots.acquire()
            try:
                item = await anext(source)
            except StopAsyncIteration:
                break
            except Exception as error:
                source_error = error
                break
            if read < concurrency:
                workers.start_soon(_worker, work, items, available, results)
            items.append((read, item))
            available.release()
            read += 1
        for _ in range(min(read, concurrency)):
            available.release()
    if source_error is not None:
        # Last, also if unordered: no result of an item that was read before is lost.
        results.put(read, _Done(error=source_error))
    results.end(StopAsyncIteration)


async def _worker(
    work: Callable[[A], Awaitable[B]], items: deque[tuple[int, A]], available: anyio.Semaphore, results: Results[B]
) -> None:
    """Process queued items until woken with an empty queue, which is the signal to stop."""
    await available.acquire()
    while items:
        index, item = items.popleft()
        try:
            done = _Done(await work(item))
        except Exception as error:
            done = _Done(error=error)
        except anyio.get_cancelled_exc_class() as error:
            # The error that is raised is that of the task which waits for the results.
            results.notes.update(dict.fromkeys(getattr(error, "__notes__", ())))
            raise
        results.put(index, done)
        await available.acquire()
