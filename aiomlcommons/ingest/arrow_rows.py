"""pyarrow, which is optional, and rows of its data: Python values, and the place of the values themselves."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from typing import Any

_NANOSECONDS = "time64[ns]"


class ArrowRow(dict[str, Any]):
    """A row as Python values, which is row ``index`` of ``batch``, a record batch of pyarrow.

    A sink of Arrow copies it from there, with its exact types: Python knows neither widths nor units, nor maps.
    """

    __slots__ = ("batch", "index")

    def __init__(self, items: Iterable[tuple[str, Any]], batch: Any, index: int) -> None:
        super().__init__(items)
        self.batch, self.index = batch, index


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
