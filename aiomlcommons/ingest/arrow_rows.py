"""pyarrow, which is optional, and rows of its data: Python values, and the place of the values themselves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from importlib import import_module
from typing import Any, overload

from aiomlcommons.ingest.types import ColumnarRows, Row

_NANOSECONDS = "time64[ns]"
# Runs of neighbours that rows are copied from one by one; more are gathered.
SCATTERED = 4


class ArrowRow(dict[str, Any]):
    """A row as Python values, which is row ``index`` of ``batch``, a record batch of pyarrow.

    A sink of Arrow copies it from there, with its exact types: Python knows neither widths nor units, nor maps.
    """

    __slots__ = ("batch", "index")

    def __init__(self, items: Iterable[tuple[str, Any]], batch: Any, index: int) -> None:
        super().__init__(items)
        self.batch, self.index = batch, index


class ArrowRows(ColumnarRows):
    """The rows of record batches, whose values stay in Arrow until somebody asks for a column or a row.

    A slice is of the same kind and copies nothing. A row is an ArrowRow.
    """

    __slots__ = ("_length", "_made", "batches")

    def __init__(self, batches: Sequence[Any]) -> None:
        self.batches = batches
        self._length = sum(map(len, batches))
        self._made: list[ArrowRow] | None = None

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, index: int, /) -> Row: ...
    @overload
    def __getitem__(self, index: slice, /) -> Sequence[Row]: ...
    def __getitem__(self, index: int | slice, /) -> Row | Sequence[Row]:
        if isinstance(index, int):
            return self._rows()[index]
        begin, end, step = index.indices(self._length)
        return self._slice(begin, max(begin, end)) if step == 1 else self.take(range(begin, end, step))

    def __iter__(self) -> Iterator[Row]:
        # A check of the first rows looks at few of them, often at one.
        begin, end = 0, 1
        while self._made is None and begin < self._length:
            yield from self._slice(begin, end)._rows()
            begin, end = end, 4 * end
        if self._made is not None:
            yield from self._made[begin:]

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, Sequence) else NotImplemented

    __hash__ = None  # type: ignore[assignment]  # as of a list

    def __add__(self, others: Sequence[Row]) -> Sequence[Row]:
        """Return these rows, then others."""
        if isinstance(others, ArrowRows):
            return ArrowRows([*self.batches, *others.batches])
        return [*self, *others]

    def column(self, name: str) -> list[Any] | None:
        """Return the values of a column as in rows, or None unless there is one column of this name."""
        values: list[Any] = []
        for batch in self.batches:
            if (index := batch.schema.get_field_index(name)) < 0:
                return None
            values += _values(batch.column(index))
        return values

    def take(self, indices: Sequence[int]) -> ArrowRows:
        """Return some of the rows, in this order."""
        runs = list(_runs(indices))
        if len(runs) > SCATTERED:
            pa = pyarrow()
            try:
                table = pa.Table.from_batches(self.batches).take(pa.array(indices, pa.int64()))
                return ArrowRows(table.combine_chunks().to_batches())
            except pa.ArrowException:
                pass  # several schemas, or a type that cannot be gathered: as slices of one row
        return ArrowRows([part for begin, end in runs for part in self._slice(begin, end).batches])

    def _slice(self, begin: int, end: int) -> ArrowRows:
        slices: list[Any] = []
        for batch in self.batches:
            if begin < len(batch) and end > 0:
                first = max(0, begin)
                slices.append(batch.slice(first, end - first))
            begin, end = begin - len(batch), end - len(batch)
        return ArrowRows(slices)

    def _rows(self) -> list[ArrowRow]:
        if self._made is None:
            self._made = [row for batch in self.batches for row in rows_of(batch)]
        return self._made


def pyarrow(*modules: str) -> Any:
    """Import pyarrow, with modules such as ``"parquet"``. Raises ImportError that says how to install it."""
    try:
        for module in modules:
            import_module(f"pyarrow.{module}")
        return import_module("pyarrow")
    except ImportError as error:
        raise ImportError("Parquet and Arrow need pyarrow: pip install 'aiomlcommons[arrow]'") from error


def rows_of(batch: Any) -> list[ArrowRow]:
    """Return the rows of a record batch. A value that Python's types cannot hold stays a scalar of pyarrow."""
    names = batch.schema.names
    columns = [_values(column) for column in batch.columns]
    rows = zip(*columns, strict=True) if columns else [()] * len(batch)
    return [ArrowRow(zip(names, row, strict=True), batch, i) for i, row in enumerate(rows)]


def _runs(indices: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield the beginning and the end of each run of indices that follow each other."""
    begin = 0
    for at in range(1, len(indices) + 1):
        if at == len(indices) or indices[at] != indices[at - 1] + 1:
            yield indices[begin], indices[at - 1] + 1
            begin = at


def _values(column: Any) -> list[Any]:
    if _NANOSECONDS in str(column.type):  # Python's time has microseconds, and the others are dropped silently
        return list(map(_value, column))
    try:
        values: list[Any] = column.to_pylist()
    except (ValueError, OverflowError):  # a year after 9999, or nanoseconds without pandas
        return list(map(_value, column))
    return values


def _value(scalar: Any) -> Any:
    if not scalar.is_valid:
        return None
    if _NANOSECONDS in str(scalar.type) and getattr(scalar, "value", 1) % 1000:
        return scalar
    try:
        return scalar.as_py()
    except (ValueError, OverflowError):
        return scalar
