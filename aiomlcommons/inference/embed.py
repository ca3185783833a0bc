"""Streaming of rows through an embedding model, in batches with bounded concurrency."""

from __future__ import annotations

from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Generator,
    Iterable,
    Iterator,
    Mapping,
    Sized,
)
from contextlib import aclosing, asynccontextmanager
from typing import Any, Generic, TypeAlias, TypeVar

import anyio
import attrs

from aiomlcommons.concurrency import Results, batched, batches_of, fan_out
from aiomlcommons.errors import InvalidRequest
from aiomlcommons.inference.errors import BatchFailed
from aiomlcommons.inference.fields import TextFrom, text_by
from aiomlcommons.inference.many import check_sizes
from aiomlcommons.inference.tables import text_field
from aiomlcommons.inference.texts import checked_rows, shown
from aiomlcommons.inference.vectors import Vectors
from aiomlcommons.owner import Owner
from aiomlcommons.progress.event import Callback, Phase, Progress
from aiomlcommons.progress.telling import telling
from aiomlcommons.usage import refuses

T = TypeVar("T")

Rows: TypeAlias = Iterable[T] | AsyncIterable[T]
TextOf: TypeAlias = str | Callable[[T], str] | None


@attrs.frozen(eq=False)
class Batch(Generic[T]):
    """A batch of rows and their vectors: ``vectors[i]`` belongs to ``rows[i]``, which is row ``start + i`` overall."""

    index: int
    start: int
    rows: list[T]
    vectors: Vectors

    def __len__(self) -> int:
        return len(self.rows)


class _Batches(Generic[T]):
    """Batches as they complete. On another event loop nothing would wake who waits for one, so that is refused."""

    def __init__(self, results: Results[Batch[T]]) -> None:
        self._results, self._owner = results, Owner()

    def __aiter__(self) -> AsyncIterator[Batch[T]]:
        return self

    async def __anext__(self) -> Batch[T]:
        self._owner.check("ml.embed(...)")
        return await anext(self._results)


@refuses("async with", "with", "await", "for", write="`async for row, vector in embedded:`")
class Embedded(Generic[T]):
    """An async iterator of ``(row, vector)``; ``batches()`` iterates over whole batches instead."""

    def __init__(self, results: Results[Batch[T]]) -> None:
        self._batches = _Batches(results)
        self._pairs: Iterator[tuple[T, Vectors]] = iter(())

    def batches(self) -> AsyncIterator[Batch[T]]:
        """Iterate over batches: rows as a list, vectors as one array of shape ``(len(rows), dimension)``."""
        return self._batches

    def __aiter__(self) -> AsyncIterator[tuple[T, Vectors]]:
        return self

    async def __anext__(self) -> tuple[T, Vectors]:
        for pair in self._pairs:
            return pair
        batch = await anext(self._batches)
        self._pairs = zip(batch.rows, batch.vectors, strict=True)
        return next(self._pairs)


@asynccontextmanager
async def embed(
    embed_texts: Callable[[list[str]], Awaitable[Vectors]],
    rows: Rows[T],
    *,
    text: TextOf[T],
    text_default: str | None = None,
    batch: int,
    concurrency: int,
    ordered: bool,
    called: str = "",
    progress: bool | Callback = False,
) -> AsyncGenerator[Embedded[T]]:
    """Stream rows through ``embed_texts``; ``Session.embed`` documents the options.

    ``called`` is what the rows are embedded by, in what is told of progress.

    Raises ValueError or TypeError for a wrong ``batch`` or ``concurrency``, InvalidRequest for ``rows`` that are none,
    BatchFailed if a batch cannot be read or embedded.
    """
    check_sizes(batch=batch, concurrency=concurrency)
    rows = checked_rows("rows", rows, named=text is not None)
    pick = None if text is None else text_by(text, text_default)

    count = _Count(called, len(rows) if isinstance(rows, Sized) else None)

    async def work(part: _Part[T]) -> Batch[T]:
        try:
            vectors = await embed_texts(_texts(part, pick))
        except Exception as error:
            raise BatchFailed(part.index, part.start, part.rows, error) from error
        count.done += len(part.rows)
        return Batch(part.index, part.start, part.rows, vectors)

    async with telling(progress, count.event()) as tell:
        tell(count.event())
        tell.watch(count.event)
        async with fan_out(work, _parts(rows, batch), concurrency=concurrency, ordered=ordered) as results:
            yield Embedded(results)
        tell(count.event(Phase.FINISHED))


@attrs.define
class _Count:
    """How many rows are embedded, of how many if that is known."""

    name: str
    total: int | None
    done: int = 0
    began: float = attrs.field(factory=anyio.current_time)

    def event(self, phase: Phase = Phase.EMBEDDING) -> Progress:
        rate = self.done / max(anyio.current_time() - self.began, 1e-9)
        eta = None if self.total is None or not rate else (self.total - self.done) / rate
        return Progress(phase=phase, name=self.name, done=self.done, total=self.total, unit="rows", rate=rate, eta=eta)


@attrs.frozen
class _Part(Generic[T]):
    index: int
    start: int
    rows: list[T]


def _parts(rows: Rows[T], size: int) -> AsyncGenerator[_Part[T]] | Generator[_Part[T]]:
    return _awaited_parts(rows, size) if isinstance(rows, AsyncIterable) else _ready_parts(rows, size)


async def _awaited_parts(rows: AsyncIterable[T], size: int) -> AsyncGenerator[_Part[T]]:
    index = start = 0
    async with aclosing(batched(rows, size)) as batches:
        try:
            async for some in batches:
                yield _Part(index, start, some)
                index, start = index + 1, start + len(some)
        except Exception as error:
            raise BatchFailed(index, start, [], error) from error


def _ready_parts(rows: Iterable[T], size: int) -> Generator[_Part[T]]:
    index = start = 0
    try:
        for some in batches_of(rows, size):
            yield _Part(index, start, some)
            index, start = index + 1, start + len(some)
    except Exception as error:
        raise BatchFailed(index, start, [], error) from error


def _texts(part: _Part[T], pick: Callable[[T], Any] | None) -> list[str]:
    rows: list[Any] = part.rows
    if pick is None and set(map(type, rows)) == {str}:
        return rows  # fast path: rows that are strings need no work per row
    return [_text(row, pick, part.start + i) for i, row in enumerate(rows)]


def _text(row: T, pick: Callable[[T], Any] | None, number: int) -> str:
    """Return the text of a row: the row itself, or what ``pick`` returns for it."""
    try:
        found: Any = row if pick is None else pick(row)
    except (LookupError, TypeError) as error:
        wanted = pick.spec if isinstance(pick, TextFrom) else pick
        if isinstance(row, str) and isinstance(pick, TextFrom):
            raise InvalidRequest(f"row {number} is a text, which has no field {wanted!r}: leave text= out") from None
        raise InvalidRequest(f"row {number} has no text {wanted!r}: {error!r}") from error
    if not isinstance(found, str):
        named = pick is None and isinstance(found, Mapping)
        hint = f"; name its text with text={text_field(found) or '...'!r}" if named else ""
        raise InvalidRequest(f"the text of row {number} must be a string, not {shown(found)}{hint}")
    return found
