"""Rows that are kept as lists of cells, and become dicts when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import Any, overload

from aiomlcommons.ingest.types import ColumnarRows, Row


class CellRows(ColumnarRows):
    """Rows of as many cells as there are columns, whose names differ."""

    __slots__ = ("_columns", "_records")

    def __init__(self, columns: Sequence[str], records: Sequence[Sequence[str]]) -> None:
        self._columns, self._records = columns, records

    def __len__(self) -> int:
        return len(self._records)

    @overload
    def __getitem__(self, index: int, /) -> Row: ...
    @overload
    def __getitem__(self, index: slice, /) -> CellRows: ...
    def __getitem__(self, index: int | slice, /) -> Row | CellRows:
        if isinstance(index, slice):
            return CellRows(self._columns, self._records[index])
        return dict(zip(self._columns, self._records[index], strict=True))

    def __iter__(self) -> Iterator[Row]:
        columns = self._columns
        return (dict(zip(columns, cells, strict=False)) for cells in self._records)  # all are of this length

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, Sequence) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # as of a list

    def __add__(self, others: Sequence[Row]) -> Sequence[Row]:
        """Return these rows, then others."""
        if isinstance(others, CellRows) and others._columns == self._columns:
            return CellRows(self._columns, [*self._records, *others._records])
        return [*self, *others]

    def column(self, name: str) -> list[Any] | None:
        """Return the cells of a column."""
        return list(map(itemgetter(self._columns.index(name)), self._records)) if name in self._columns else None

    def take(self, indices: Sequence[int]) -> CellRows:
        """Return some of the rows, in this order."""
        return CellRows(self._columns, [self._records[i] for i in indices])
