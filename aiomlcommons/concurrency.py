"""Bounded fan-out with backpressure, by structured concurrency: batches, and workers over them. Independent of models.

Slots bound the items in memory: a slow consumer keeps them occupied, which stops reading the source.
Compare ``concurrent.futures.Executor.map(buffersize=...)`` and aiostream's ``map(task_limit=...)``.
"""

from __future__ import annotations

import asyncio
import itertools
from collections import deque
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Generator,
    Iterable,
)
from contextlib import asynccontextmanager
from typing import Any, Generic, Protocol, TypeVar

import anyio
import attrs

from aiomlcommons.slots import Slots

A = TypeVar("A")
A_co = TypeVar("A_co", covariant=True)
B = TypeVar("B")
# Of what items in flight waited for when all were cancelled, so much is told.
NOTES = 3


async def batched(source: AsyncIterable[A], size: int) -> AsyncGenerator[list[A]]:
    """Group the items of a source into lists of ``size``; the last one may be shorter."""
    batch: list[A] = []
    async for item in source:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def batches_of(source: Iterable[A], size: int) -> Generator[list[A]]:
    """Group the items of a source into lists, as ``batched`` does."""
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

    def __init__(self, slots: Slots, *, ordered: bool, urgent: tuple[type[Exception], ...] = ()) -> None:
        self._slots = slots
        self._ordered = ordered
        self._urgent_types = urgent
        self._urgent: _Done[B] | None = None
        self._done: dict[int, _Done[B]] = {}
        self._next = 0
        self._waiting: list[asyncio.Future[None]] = []
        self._end: type[Exception] | None = None
        self.notes: dict[str, None] = {}

    def __aiter__(self) -> AsyncIterator[B]:
        return self

    async def __anext__(self) -> B:
        while (done := self._take()) is None:
            if self._end is not None:
                raise self._end
            waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(waiting)
            await waiting
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
            self._wake()

    def end(self, error: type[Exception]) -> None:
        """Mark the end: once the stored results are taken, the iterator raises ``error``."""
        self._end = error
        self._wake()

    def _wake(self) -> None:
        for waiting in self._waiting:
            if not waiting.done():
                waiting.set_result(None)
        self._waiting.clear()


@asynccontextmanager
async def fan_out(
    work: Callable[[A], Awaitable[B]],
    source: AsyncGenerator[A] | Generator[A],
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
        source: The items; closed at the end. Those of a generator cost less.
        concurrency: Items in flight at once, finished but untaken results included.
        ordered: Yield results in the order of the source, else as they complete.
        urgent: Types of errors that are raised without waiting for the items before them.
    """
    slots = Slots(concurrency)
    results: Results[B] = Results(slots, ordered=ordered, urgent=urgent)
    try:
        items = _Fed(source, slots) if isinstance(source, AsyncGenerator) else _Drawn(source, slots)
        async with beside(items.run, work, results, concurrency):
            yield results
    except anyio.get_cancelled_exc_class() as error:
        for note in itertools.islice(results.notes, NOTES):
            error.add_note(note)
        raise
    finally:
        results.end(anyio.ClosedResourceError)
        if isinstance(source, AsyncGenerator):
            with anyio.CancelScope(shield=True):
                await source.aclose()
        else:
            source.close()


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


class _Items(Protocol[A_co]):
    """The items of a source, for workers."""

    async def next(self) -> tuple[int, A_co] | None:
        """Return the next item with its number; None if there is none any more."""
        ...


class _Drawn(Generic[A]):
    """The items of a generator, which the workers read by themselves."""

    def __init__(self, source: Generator[A], slots: Slots) -> None:
        self._source, self._slots = source, slots
        self._read = 0
        self._is_over = False
        self._error: Exception | None = None

    async def run(self, work: Callable[[A], Awaitable[B]], results: Results[B], concurrency: int) -> None:
        """Begin a worker for each of the first items, and wait for the last."""
        async with anyio.create_task_group() as workers:
            for _ in range(concurrency):
                if (first := await self.next()) is None:
                    break
                workers.start_soon(_worker, work, first, self, results)
        _finish(results, self._read, self._error)

    async def next(self) -> tuple[int, A] | None:
        """Take a slot, and read an item."""
        await self._slots.take()
        if not self._is_over:
            try:
                item = next(self._source)
            except StopIteration:
                self._is_over = True
            except Exception as error:
                self._error, self._is_over = error, True
            else:
                self._read += 1
                return self._read - 1, item
        self._slots.release_all()
        return None


class _Fed(Generic[A]):
    """The items of an async generator, which one task reads: it may hold cancel scopes, which belong to that task."""

    def __init__(self, source: AsyncGenerator[A], slots: Slots) -> None:
        self._source, self._slots = source, slots
        self._items: deque[tuple[int, A]] = deque()
        self._available = Slots(0)

    async def run(self, work: Callable[[A], Awaitable[B]], results: Results[B], concurrency: int) -> None:
        """Read the items; begin a worker for each of the first, and hand the others over."""
        read, failure = 0, None
        async with anyio.create_task_group() as workers:
            while True:
                await self._slots.take()
                try:
                    item = await anext(self._source)
                except StopAsyncIteration:
                    break
                except Exception as error:
                    failure = error
                    break
                # Workers are reused, because starting a task for each item would cost more than handing it over.
                if read < concurrency:
                    workers.start_soon(_worker, work, (read, item), self, results)
                else:
                    self._items.append((read, item))
                    self._available.release()
                read += 1
            for _ in range(min(read, concurrency)):
                self._available.release()
        _finish(results, read, failure)

    async def next(self) -> tuple[int, A] | None:
        """Wait for an item; an empty queue is the signal to stop."""
        await self._available.take()
        return self._items.popleft() if self._items else None


def _finish(results: Results[Any], read: int, error: Exception | None) -> None:
    if error is not None:
        # Last, also if unordered: no result of an item that was read before is lost.
        results.put(read, _Done(error=error))
    results.end(StopAsyncIteration)


async def _worker(
    work: Callable[[A], Awaitable[B]], first: tuple[int, A], items: _Items[A], results: Results[B]
) -> None:
    found: tuple[int, A] | None = first
    while found is not None:
        index, item = found
        try:
            done = _Done(await work(item))
        except Exception as error:
            done = _Done(error=error)
        except anyio.get_cancelled_exc_class() as error:
            # The error that is raised is that of the task which waits for the results.
            results.notes.update(dict.fromkeys(getattr(error, "__notes__", ())))
            raise
        results.put(index, done)
        found = await items.next()
