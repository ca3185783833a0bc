"""Where rows come from."""

from __future__ import annotations

import itertools
from collections.abc import AsyncGenerator, Callable, Mapping
from os import PathLike
from typing import IO, Any

import anyio.to_thread
import orjson

from aiomlcommons.errors import MLCommonsError

LINES_AT_ONCE = 1_000


class SourceError(MLCommonsError):
    """A source that cannot be read on: it names the file and the line."""


async def jsonl(path: str | PathLike[str]) -> AsyncGenerator[Mapping[str, Any]]:
    """The objects of a JSON Lines file, one a line; empty lines are passed over. Files are read off the event loop.

    Raises SourceError, naming file and line, for what is not a JSON object; OSError where the file cannot be opened.
    """
    file = await anyio.to_thread.run_sync(_opened(path))
    try:
        number = 0
        while lines := await anyio.to_thread.run_sync(lambda: list(itertools.islice(file, LINES_AT_ONCE))):
            for line in lines:
                number += 1
                if not line.isspace():
                    yield _row(line, path, number)
    finally:
        file.close()


def _opened(path: str | PathLike[str]) -> Callable[[], IO[bytes]]:
    return lambda: open(path, "rb")  # noqa: PTH123 - closed by jsonl; a path may be any path-like


def _row(line: bytes, path: str | PathLike[str], number: int) -> Mapping[str, Any]:
    try:
        row = orjson.loads(line)
    except ValueError as error:
        raise SourceError(f"{path}, line {number} is not JSON: {error}") from error
    if not isinstance(row, dict):
        raise SourceError(f"{path}, line {number} is not a JSON object but {type(row).__name__}")
    return row
