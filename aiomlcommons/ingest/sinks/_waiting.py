"""Batches that wait until there are enough of them to be worth a thread, and a table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import reduce
from itertools import chain, groupby
from typing import Any

import attrs
import numpy as np

from aiomlcommons.inference.vectors import Vectors
from aiomlcommons.ingest.sinks.arrow_tables import Array, vectors_of
from aiomlcommons.ingest.types import ColumnarRows, Documents, Row, Sparse

ROWS_AT_ONCE = 1_024
# What a weight of a sparse vector takes in memory.
_WEIGHT = 100


@attrs.define
class Waiting:
    """Batches of one kind of vectors, as many as a table of a useful size, and of at most about ``most`` bytes."""

    most: int
    _batches: list[Documents] = attrs.field(factory=list)
    _rows: int = 0
    _bytes: int = 0

    def has_room(self, batch: Documents) -> bool:
        """Return whether a batch may be added, so that the others can wait on."""
        return self._rows + len(batch) <= ROWS_AT_ONCE and self._bytes + _size(batch) <= self.most

    def add(self, batch: Documents) -> None:
        """Add a batch."""
        self._batches.append(batch)
        self._rows += len(batch)
        self._bytes += _size(batch)

    def clear(self) -> None:
        """Drop all batches."""
        self._batches, self._rows, self._bytes = [], 0, 0

    def together(self) -> Iterator[tuple[Sequence[Row], Array]]:
        """Yield the rows of the batches, those that are kept as columns as such, and the column of their vectors."""
        for _, group in groupby(self._batches, lambda batch: type(batch.rows)):
            batches = list(group)
            yield reduce(_joined, [batch.rows for batch in batches]), _column([batch.vectors for batch in batches])


def kind_of_vectors(vectors: Vectors | Sparse) -> tuple[Any, ...]:
    """Return what decides on the type of a column of vectors: the dtype and the dimension, nothing for sparse ones."""
    return () if isinstance(vectors, list) else (vectors.dtype.newbyteorder("="), vectors.shape[1])


def _size(batch: Documents) -> int:
    vectors = batch.vectors
    size = _WEIGHT * sum(map(len, vectors)) if isinstance(vectors, list) else vectors.nbytes
    return size + sum(map(len, batch.texts))


def _joined(rows: Sequence[Row], more: Sequence[Row]) -> Sequence[Row]:
    return rows + more if isinstance(rows, ColumnarRows) else [*rows, *more]


def _column(vectors: Sequence[Any]) -> Array:
    if len(vectors) == 1:
        return vectors_of(vectors[0])
    # One copy, and then it holds neither the answers of the model nor as many pieces as there are batches.
    return vectors_of(list(chain.from_iterable(vectors)) if isinstance(vectors[0], list) else np.concatenate(vectors))
