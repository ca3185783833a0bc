"""Rows from an iterable or async iterable of the program."""

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
from aiomlcommons.inference.texts import checked_rows, shown
from aiomlcommons.inference.words import is_missing
from aiomlcommons.ingest.errors import SourceError
from aiomlcommons.ingest.types import BadRow, Row, Rows, TextRow
from aiomlcommons.typed import typed_fields

ROWS_AT_ONCE = 256
# Of a list, which yields them without a call for each.
LISTED_AT_ONCE = 1_024
Items: TypeAlias = "Iterable[Any] | AsyncIterable[Any]"


@attrs.define(field_transformer=typed_fields)
class IterableSource:
    """The rows of an (async) iterable, or of the one that a function returns each time the source is read.

    A data frame or an Arrow table yields its rows, a column (an array, a Series) its values.

    A row is a mapping; a string becomes ``{"text": ...}``; anything else is a BadRow. Rows of an async iterable are
    yielded as soon as they arrive. A plain iterable is read in the event loop, so it must not block.

    To resume, the first rows are read and skipped. An iterator, which can be read only once, cannot resume: give a
    function that returns a new one.
    """

    rows: Items | Callable[[], Items]
    name: str = "rows"
    _begun: bool = False

    def __attrs_post_init__(self) -> None:
        if _is_items(self.rows) or not callable(self.rows):
            self.rows = _checked(self.name, self.rows)

    async def count(self) -> int | None:
        """Return the length of the iterable, or None if it has none."""
        return len(self.rows) if isinstance(self.rows, Sized) else None

    def rereadable(self) -> bool:
        """Return whether it is a collection in memory, which can be read again without waiting."""
        rows: Any = self.rows
        return isinstance(rows, Sized) and not isinstance(rows, Iterator | AsyncIterable)

    async def read(self, position: Any = None, start: int = 0) -> AsyncGenerator[Rows]:  # noqa: ARG002 - rows are counted
        """Yield the rows after the first ``start``. Raises SourceError if there are fewer or none can be read again."""
        to_skip, number = start, start
        async with aclosing(_batches(self._items(start))) as batches:
            async for items in batches:
                to_skip, items = max(0, to_skip - len(items)), items[to_skip:]
                if items:
                    yield Rows(number, self._rows(items, number), None)
                    number += len(items)
        if to_skip:
            raise SourceError(f"{self.name} has {start - to_skip:,} rows, and was read to row {start:,} before")

    def _items(self, start: int) -> Items:
        items = cast("Items", self.rows if _is_items(self.rows) else _checked(self.name, self.rows()))  # type: ignore[operator]
        if isinstance(items, Iterator | AsyncIterator) and items is self.rows and (start or self._begun):
            raise SourceError(
                f"{self.name} is an iterator, which can be read once only, so it cannot be read from row {start:,} on; "
                "give a function that returns a new one"
            )
        self._begun = True
        return items

    def _rows(self, items: list[Any], number: int) -> list[Row | BadRow]:
        if set(map(type, items)) == {dict}:
            return items
        return [self._row(item, number + i) for i, item in enumerate(items)]

    def _row(self, item: Any, number: int) -> Row | BadRow:
        if isinstance(item, Mapping | BadRow):
            return item
        if isinstance(item, str):
            return TextRow(text=item)
        if is_missing(item):
            return BadRow("its text is missing", f"{self.name}, row {number}", repr(item))
        return BadRow(f"not a mapping but {type(item).__name__}", f"{self.name}, row {number}", repr(item)[:200])


def _is_items(rows: Any) -> bool:
    return isinstance(rows, Iterable | AsyncIterable)


def _checked(name: str, rows: Any) -> Any:
    """Return the rows. Raises InvalidRequest for what is no collection of rows, or one of neither rows nor texts."""
    rows = checked_rows(name, rows, named=True)
    head = rows[:ROWS_AT_ONCE] if isinstance(rows, list | tuple) else ()
    if head and not any(isinstance(item, Mapping | str | BadRow) or is_missing(item) for item in head):
        raise InvalidRequest(f"{name}[0] must be a row (a mapping) or a text, not {shown(head[0])}")
    return rows


async def _batches(items: Items) -> AsyncGenerator[list[Any]]:
    if isinstance(items, AsyncIterable):
        async with aclosing(_Buffer(aiter(items)).batches()) as batches:
            async for batch in batches:
                yield batch
        return
    if type(items) is list:
        begin = 0
        while part := items[begin : begin + LISTED_AT_ONCE]:
            yield part
            begin += len(part)
        return
    iterator = iter(items)
    try:
        while True:
            batch, error = _take(iterator)
            if batch:
                yield batch
            if error is not None:
                raise error
            if not batch:
                return
    finally:
        if isinstance(iterator, Generator):
            iterator.close()


def _take(iterator: Iterator[Any]) -> tuple[list[Any], Exception | None]:
    """Take the next rows, and the error that followed them if there was one."""
    batch: list[Any] = []
    try:
        for item in itertools.islice(iterator, ROWS_AT_ONCE):
            batch.append(item)  # noqa: PERF402 - items that came before an error must be kept
    except Exception as error:
        return batch, error
    return batch, None


class _Buffer:
    """A bounded buffer that a task fills from an async iterator, so that reading overlaps the work on earlier rows."""

    def __init__(self, items: AsyncIterator[Any]) -> None:
        self._items = items
        self._held: list[Any] = []
        self._not_empty, self._not_full = asyncio.Event(), asyncio.Event()

    async def batches(self) -> AsyncGenerator[list[Any]]:
        """Yield all items that have arrived since the last batch, as soon as there are any."""
        filling = asyncio.create_task(self._fill())
        filling.add_done_callback(lambda _: self._not_empty.set())
        try:
            while not filling.done() or self._held:
                await self._not_empty.wait()
                held, self._held = self._held, []
                self._not_empty.clear()
                self._not_full.set()
                if held:
                    yield held
            await filling
        finally:
            filling.cancel()
            with anyio.CancelScope(shield=True):
                await asyncio.gather(filling, return_exceptions=True)

    async def _fill(self) -> None:
        try:
            async for item in self._items:
                self._held.append(item)
                self._not_empty.set()
                if len(self._held) >= ROWS_AT_ONCE:
                    self._not_full.clear()
                    await self._not_full.wait()
        finally:
            if isinstance(self._items, AsyncGenerator):
                await self._items.aclose()
