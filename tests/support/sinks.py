"""Documents for tests of sinks, written as a job writes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from aiomlcommons.ingest.types import Documents, Refused, Row, Sink

DIMENSION = 4


def batch(first: int, count: int, **more: Any) -> Documents:
    """Return documents from ``first`` on, each with a vector made of its number."""
    numbers = range(first, first + count)
    rows: list[Row] = [{"id": f"d{i}", "text": f"text {i}", **more} for i in numbers]
    return documents(rows, vectors(first, count))


def documents(rows: Sequence[Row], of: Any) -> Documents:
    return Documents([str(row.get("id", i)) for i, row in enumerate(rows)], list(rows), ["" for _ in rows], of)


def vectors(first: int, count: int) -> Any:
    return (np.arange(first * DIMENSION, (first + count) * DIMENSION, dtype="f4") / 3).reshape(count, DIMENSION)


def sparse(first: int, count: int) -> Documents:
    rows: list[Row] = [{"id": f"d{i}"} for i in range(first, first + count)]
    return documents(rows, [{f"t{i}": i + 0.5, "all": 1.0} for i in range(first, first + count)])


async def written(sink: Sink, *batches: Documents, state: Any = None) -> list[Refused]:
    """Write to a sink as a job does, from opening to the end; return the documents that it rejects."""
    refused: list[Refused] = []
    await sink.open(state)
    for one in batches:
        refused += await sink.write(one)
    await sink.flush()
    await sink.close(complete=True)
    return refused
