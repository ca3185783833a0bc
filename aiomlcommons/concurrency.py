"""Many at once, bounded: batches, and work fanned out over them. Knows nothing of models."""

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


async def batched(source: Iterable[A] | AsyncIterable[A], size: int) -> AsyncGenerator[list[A]]:
    """The items of a source in lists of ``size``, the last one shorter."""
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
    """What was made, in the order of the source or as it is finished. An error comes in its turn.

    One that is ``urgent`` comes after what is finished and need not wait for anything that is not.
    """

    def __init__(self, slots: anyio.Semaphore, *, ordered: bool, urgent: tuple[type[Exception], ...] = ()) -> None:
        self._slots = slots
        self._ordered = ordered
        self._kinds = urgent
        self._urgent: _Done[B] | None = None
        self._done: dict[int, _Done[B]] = {}
        self._next = 0
        self._news = anyio.Event()
        self._end: type[Exception] | None = None

    def __aiter__(self) -> AsyncIterator[B]:
        return self

    async def __anext__(self) -> B:
        while (done := self._take()) is None:
            if self._end is not None:
                raise self._end
            if self._news.is_set():
                self._news = anyio.Event()
            await self._news.wait()
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
        """Hand a result to the reader, who is woken only where its turn has come."""
        self._done[index] = done
        if self._ordered and isinstance(done.error, self._kinds):
            self._urgent = done
        if index == self._next or not self._ordered or self._urgent is not None:
            self._news.set()

    def end(self, error: type[Exception]) -> None:
        """Nothing comes any more: say so by ``error`` to whoever asks."""
        self._end = error
        self._news.set()


@asynccontextmanager
async def fan_out(
    work: Callable[[A], Awaitable[B]],
    source: AsyncGenerator[A],
    *,
    concurrency: int,
    ordered: bool,
    urgent: tuple[type[Exception], ...] = (),
) -> AsyncGenerator[Results[B]]:
    """Run ``work`` over a source, at most ``concurrency`` items at once; results stream to the reader.

    An item holds its slot from before it is read until its result has been taken, so a slow reader stops the source
    and memory is bounded by ``concurrency`` items. Leaving the context cancels what is under way and closes the source.
    An error comes in its turn, but for those of the ``urgent`` kinds.
    """
    slots = anyio.Semaphore(concurrency, fast_acquire=True)
    results: Results[B] = Results(slots, ordered=ordered, urgent=urgent)
    try:
        async with beside(_feed, work, source, concurrency, slots, results):
            yield results
    finally:
        results.end(anyio.ClosedResourceError)
        with anyio.CancelScope(shield=True):
            await source.aclose()


@asynccontextmanager
async def beside(work: Callable[..., Coroutine[Any, Any, None]], *arguments: Any) -> AsyncGenerator[None]:
    """Run something for as long as the context is open. What the body raises comes out as it is."""
    ended: BaseException | None = None
    async with anyio.create_task_group() as group:
        group.start_soon(work, *arguments)
        try:
            yield
        except Exception as error:
            ended = error  # the task group would wrap it in an ExceptionGroup
        except anyio.get_cancelled_exc_class() as error:
            # The group takes it for its own where a deadline within the body comes in the same moment.
            ended = error
            raise
        group.cancel_scope.cancel()
    if ended is not None:
        raise ended


async def _feed(
    work: Callable[[A], Awaitable[B]],
    source: AsyncGenerator[A],
    concurrency: int,
    slots: anyio.Semaphore,
    results: Results[B],
) -> None:
    # All is read in this task: a source may hold cancel scopes, which belong to the task that entered them. The workers
    # stay, for a new task for each item would cost more than handing it over.
    items: deque[tuple[int, A]] = deque()
    given = anyio.Semaphore(0, fast_acquire=True)
    broken: Exception | None = None
    read = 0
    async with anyio.create_task_group() as workers:
        while True:
            await slots.acquire()
            try:
                item = await anext(source)
            except StopAsyncIteration:
                break
            except Exception as error:
                broken = error
                break
            if read < concurrency:
                workers.start_soon(_serve, work, items, given, results)
            items.append((read, item))
            given.release()
            read += 1
        for _ in range(min(read, concurrency)):
            given.release()
    if broken is not None:
        # Last, also where order is free: what was read before is not lost.
        results.put(read, _Done(error=broken))
    results.end(StopAsyncIteration)


async def _serve(
    work: Callable[[A], Awaitable[B]], items: deque[tuple[int, A]], given: anyio.Semaphore, results: Results[B]
) -> None:
    """Work on items as they are given, until one is given that is not there."""
    await given.acquire()
    while items:
        index, item = items.popleft()
        try:
            done = _Done(await work(item))
        except Exception as error:
            done = _Done(error=error)
        results.put(index, done)
        await given.acquire()
