"""Checks for all sources: they read everything, and resuming at any position yields exactly the rest."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import aclosing
from typing import Any

from aiomlcommons.ingest.types import BadRow, Row, Rows, Source


async def batches_of(source: Source, position: Any = None, start: int = 0) -> list[Rows]:
    async with aclosing(source.read(position, start)) as reading:
        return [rows async for rows in reading]


async def rows_of(source: Source, position: Any = None, start: int = 0) -> list[Row | BadRow]:
    return flat(await batches_of(source, position, start))


def flat(batches: Sequence[Rows]) -> list[Row | BadRow]:
    return [row for rows in batches for row in rows.rows]


async def check_positions(make: Callable[[], Source]) -> list[Row | BadRow]:
    """Check that a new source resumes at each position, stored as JSON, with the rest; return all rows."""
    batches = await batches_of(make())
    everything = flat(batches)
    number = 0
    for rows in batches:
        assert rows.start == number
        assert rows.rows, "a batch without rows"
        again = await batches_of(make(), json.loads(json.dumps(rows.position)), rows.start)
        assert flat(again) == everything[number:]
        assert again[0].start == number
        number += len(rows.rows)
    return everything


async def read_one(source: Source) -> Rows:
    """Read the first rows only, and close the source early."""
    async with aclosing(source.read()) as reading:
        return await anext(reading)
