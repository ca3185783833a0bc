"""Many texts in batches: several requests at once for one call, and their results in the order of the texts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator, Sequence
from typing import TypeVar

from aiomlcommons.concurrency import fan_out
from aiomlcommons.errors import DecodeError
from aiomlcommons.net.rules import AMOUNT

T = TypeVar("T")


async def in_batches(
    ask: Callable[[Sequence[str]], Awaitable[T]],
    texts: Sequence[str],
    *,
    batch: int | None,
    concurrency: int,
    noted: bool = True,
) -> list[T]:
    """Return what ``ask`` returns for each batch of texts, in order; None as ``batch`` asks for all texts at once.

    Raises what ``ask`` raises, the first error in the order of the texts, with a note that tells which texts were in
    the batch (unless not ``noted``) if they were not all. The index of a DecodeError counts all texts.
    """
    if batch is None or len(texts) <= batch:
        return [await ask(texts)]

    async def work(part: tuple[int, list[str]]) -> T:
        start, some = part
        try:
            return await _asked(ask, start, some)
        except Exception as error:
            if noted:
                error.add_note(f"in the batch of texts[{start}:{start + len(some)}], of {len(texts):,} texts")
            raise

    async with fan_out(work, _parts(texts, batch), concurrency=concurrency, ordered=True) as results:
        return [one async for one in results]


def check_sizes(*, batch: int | None, concurrency: int) -> None:
    """Raise ValueError or TypeError unless these are whole numbers of at least 1."""
    if batch is not None:
        AMOUNT.check("batch", batch)
    AMOUNT.check("concurrency", concurrency)


def _parts(texts: Sequence[str], size: int) -> Generator[tuple[int, list[str]]]:
    for start in range(0, len(texts), size):
        yield start, list(texts[start : start + size])


async def _asked(ask: Callable[[Sequence[str]], Awaitable[T]], start: int, texts: Sequence[str]) -> T:
    try:
        return await ask(texts)
    except DecodeError as error:
        if error.index is None:
            raise
        position = start + error.index
        words = error.message.replace(f"texts[{error.index}]", f"texts[{position}]")
        raise DecodeError(words, error.response, position) from None
