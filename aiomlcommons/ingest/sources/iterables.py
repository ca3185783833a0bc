"""Rows from any iterable or async iterable of a program."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Callable,
    Generator,
    Iterable,
    Iterator,
    Mapping,
    Sized,
)
from contextlib import aclosing
from typing import Any, TypeAlias, cast

import anyio
import attrs

from aiomlcommons.errors import InvalidRequest
from aiomlcommons.ingest.errors import SourceError
from aiomlcommons.ingest.types import BadRow, Row, Rows

ROWS_AT_ONCE = 256
Items: TypeAlias = "Iterable[Any] | AsyncIterable[Any]"


@attrs.define
class IterableSource:
    """The rows of an (async) iterable, or of the one that a function makes each time the source is read.

    A row is a mapping; a text becomes ``{"text": ...}``; anything else is a BadRow. Rows of an async iterable come as
    soon as they are there, many at once where they are. An iterable is read in the event loop, so one that waits must
    be async. It is read on by passing over the first rows, which an iterator that can be read once only does not
    allow: give the function that makes it.
    """

    rows: Items | Callable[[], Items]
    name: str = "rows"
    _begun: bool = False

    def __attrs_post_init__(self) -> None:
        if isinstance(self.rows, str | bytes | Mapping) or not (_is_items(self.rows) or callable(self.rows)):
            raise InvalidRequest(f"rows must be an iterable of rows, not {type(self.rows).__name__}")

    async def count(self) -> int | None:
        """Its length, where it has one."""
        return len(self.rows) if isinstance(self.rows, Sized) else None

    async def read(self, position: Any = None, start: int = 0) -> AsyncGenerator[Rows]:  # noqa: ARG002 - rows are counted
        """The rows, without the first ``start``. Raises SourceError where they cannot be read again or are fewer."""
        left, number = start, start
        async with aclosing(_batches(self._items(start))) as batches:
            async for items in batches:
                left, items = max(0, left - len(items)), items[left:]
                if items:
                    yield Rows(number, [self._row(item, number + i) for i, item in enumerate(items)], None)
                    number += len(items)
        if left:
            raise SourceError(f"{self.name} has {start - left:,} rows, and was read to row {start:,} before")

    def _items(self, start: int) -> Items:
        items = cast("Items", self.rows if _is_items(self.rows) else self.rows())  # type: ignore[operator]
        if isinstance(items, Iterator | AsyncIterator) and items is self.rows and (start or self._begun):
            raise SourceError(
                f"{self.name} is an iterator, which can be read once only, so it cannot be read from row {start:,} on; "
                "give a function that makes it anew"
            )
        self._begun = True
        return items

    def _row(self, item: Any, number: int) -> Row | BadRow:
        if isinstance(item, Mapping | BadRow):
            return item
        if isinstance(item, str):
            return {"text": item}
        return BadRow(f"not a mapping but {type(item).__name__}", f"{self.name}, row {number}", repr(item)[:200])


def _is_items(rows: Any) -> bool:
    return isinstance(rows, Iterable | AsyncIterable)


async def _batches(items: Items) -> AsyncGenerator[list[Any]]:
    if isinstance(items, AsyncIterable):
        async with aclosing(_Pump(aiter(items)).batches()) as batches:
            async for batch in batches:
                yield batch
        return
    iterator = iter(items)
    try:
        while True:
            batch, error = _some(iterator)
            if batch:
                yield batch
            if error is not None:
                raise error
            if not batch:
                return
    finally:
        if isinstance(iterator, Generator):
            iterator.close()


def _some(iterator: Iterator[Any]) -> tuple[list[Any], Exception | None]:
    """The next rows; with an error, those that came before it."""
    batch: list[Any] = []
    try:
        for item in itertools.islice(iterator, ROWS_AT_ONCE):
            batch.append(item)  # noqa: PERF402 - what an iterator gave before it fails must stay
    except Exception as error:
        return batch, error
    return batch, None


class _Pump:
    """Takes rows from an async iterator while earlier ones are at work, so that neither waits without need."""

    def __init__(self, items: AsyncIterator[Any]) -> None:
        self._items = items
        self._held: list[Any] = []
        self._some, self._room = asyncio.Event(), asyncio.Event()

    async def batches(self) -> AsyncGenerator[list[Any]]:
        """What has come since the last time, as soon as there is something."""
        pumping = asyncio.create_task(self._pump())
        pumping.add_done_callback(lambda _: self._some.set())
        try:
            while not pumping.done() or self._held:
                await self._some.wait()
                held, self._held = self._held, []
                self._some.clear()
                self._room.set()
                if held:
                    yield held
            await pumping
        finally:
            pumping.cancel()
            with anyio.CancelScope(shield=True):
                await asyncio.gather(pumping, return_exceptions=True)

    async def _pump(self) -> None:
        try:
            async for item in self._items:
                self._held.append(item)
                self._some.set()
                if len(self._held) >= ROWS_AT_ONCE:
                    self._room.clear()
                    await self._room.wait()
        finally:
            if isinstance(self._items, AsyncGenerator):
                await self._items.aclose()
