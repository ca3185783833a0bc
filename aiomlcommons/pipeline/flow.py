"""Many at once, bounded: batches, and work fanned out over them. Knows nothing of models."""

from __future__ import annotations

import itertools
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

import anyio
import attrs
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

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
    index: int
    value: B | None = None
    error: Exception | None = None


class Results(Generic[B]):
    """What was made, in the order of the source or as it is finished. An error comes in its turn."""

    def __init__(self, done: MemoryObjectReceiveStream[_Done[B]], slots: anyio.Semaphore, *, ordered: bool) -> None:
        self._done = done
        self._slots = slots
        self._ordered = ordered
        self._waiting: dict[int, _Done[B]] = {}
        self._next = 0

    def __aiter__(self) -> AsyncIterator[B]:
        return self

    async def __anext__(self) -> B:
        done = await self._receive()
        self._slots.release()
        if done.error is not None:
            raise done.error
        return done.value  # type: ignore[return-value]  # B itself may be an optional type

    async def _receive(self) -> _Done[B]:
        while not self._ordered or self._next not in self._waiting:
            try:
                done = self._done.receive_nowait()  # a turn of the event loop is saved where one is ready
            except anyio.WouldBlock:
                done = await self._wait()
            except anyio.EndOfStream:
                raise StopAsyncIteration from None
            if not self._ordered:
                return done
            self._waiting[done.index] = done
        self._next += 1
        return self._waiting.pop(self._next - 1)

    async def _wait(self) -> _Done[B]:
        try:
            return await self._done.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None


@asynccontextmanager
async def fan_out(
    work: Callable[[A], Awaitable[B]], source: AsyncGenerator[A], *, in_flight: int, ordered: bool
) -> AsyncGenerator[Results[B]]:
    """Run ``work`` over a source, at most ``in_flight`` items at once; results stream to the reader.

    An item holds its slot from before it is read until its result has been taken, so a slow reader stops the source
    and memory is bounded by ``in_flight`` items. Leaving the context cancels what is under way and closes the source.
    """
    slots = anyio.Semaphore(in_flight, fast_acquire=True)
    # No send ever waits: there are as many places as there are slots.
    sender, receiver = anyio.create_memory_object_stream[_Done[B]](in_flight)
    failure: Exception | None = None
    try:
        with sender, receiver:
            async with anyio.create_task_group() as group:
                group.start_soon(_feed, work, source, slots, sender)
                try:
                    yield Results(receiver, slots, ordered=ordered)
                except Exception as error:
                    # The task group would wrap it in an ExceptionGroup; the reader's own error must come out as it is.
                    failure = error
                group.cancel_scope.cancel()
    finally:
        with anyio.CancelScope(shield=True):
            await source.aclose()
    if failure is not None:
        raise failure


async def _feed(
    work: Callable[[A], Awaitable[B]],
    source: AsyncGenerator[A],
    slots: anyio.Semaphore,
    sender: MemoryObjectSendStream[_Done[B]],
) -> None:
    # Closing the sender is what tells the reader that all is done, so it waits for the workers.
    with sender:
        broken: _Done[B] | None = None
        async with anyio.create_task_group() as workers:
            for index in itertools.count():
                await slots.acquire()
                try:
                    item = await anext(source)
                except StopAsyncIteration:
                    break
                except Exception as error:
                    broken = _Done(index, error=error)
                    break
                workers.start_soon(_run, work, index, item, sender)
        if broken is not None:
            # Last, also where order is free: what was read before is not lost.
            sender.send_nowait(broken)


async def _run(
    work: Callable[[A], Awaitable[B]], index: int, item: A, sender: MemoryObjectSendStream[_Done[B]]
) -> None:
    try:
        done = _Done(index, await work(item))
    except Exception as error:
        done = _Done(index, error=error)
    sender.send_nowait(done)
