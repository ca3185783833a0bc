"""Data frames, Arrow tables and columns as rows and texts; no library is imported for it (duck typing)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from aiomlcommons.errors import InvalidRequest

ROWS_AT_ONCE = 1_000


def is_column(data: Any) -> bool:
    """Return whether data is one column: a Series, an Arrow array, or an array of numpy with one dimension."""
    if hasattr(data, "to_pylist"):
        return not hasattr(data, "schema")
    is_array = hasattr(data, "dtype") and hasattr(data, "__len__") and getattr(data, "ndim", 1) == 1
    # The items of a structured array of numpy are rows.
    return is_array and getattr(data.dtype, "names", None) is None


def is_table(data: Any) -> bool:
    """Return whether data is a data frame, or an Arrow table, record batch, reader or dataset."""
    if isinstance(data, type) or is_column(data):
        return False
    return type(data).__name__ in {"DataFrame", "LazyFrame"} or (
        hasattr(data, "schema") and any(hasattr(data, name) for name in ("to_pylist", "to_batches", "read_next_batch"))
    )


def values_of(column: Any) -> list[Any]:
    """Return the values of a column as a list."""
    to_list = next(getattr(column, name) for name in ("to_pylist", "to_list", "tolist") if hasattr(column, name))
    found: list[Any] = to_list()
    return found


def rows_of(data: Any) -> Any:
    """Return an iterable of the rows of a table, as dicts, or of the values of a column; anything else as it is.

    Raises InvalidRequest for a frame with two columns of one name, or one that is not computed yet.
    """
    if is_column(data):
        return values_of(data)
    if not is_table(data):
        return data
    if hasattr(data, "collect") and not hasattr(data, "iter_rows"):
        raise InvalidRequest(f"a {type(data).__name__} has no rows yet: give its collect()")
    check_columns(data)
    return _Table(with_index(data))


def with_index(frame: Any) -> Any:
    """Return a data frame of pandas with its index as a column, if that has a name; anything else as it is."""
    if not hasattr(frame, "reset_index"):
        return frame
    unusable = (name is None or name in frame.columns for name in frame.index.names)
    return frame if any(unusable) else frame.reset_index()


def check_columns(table: Any) -> None:
    """Raise InvalidRequest for a table with two columns of one name, of which a row could hold only one."""
    names = list(table.columns if type(table).__name__ == "DataFrame" else table.schema.names)
    if twice := sorted({str(name) for name in names if names.count(name) > 1}):
        raise InvalidRequest(
            f"the {type(table).__name__} has {', '.join(map(repr, twice))} more than once: rename them"
        )


class _Table(Iterable[dict[str, Any]]):
    """The rows of a table, made some at a time; they can be iterated more than once if those of the table can."""

    def __init__(self, data: Any) -> None:
        self._data = data

    def __iter__(self) -> Iterator[dict[str, Any]]:
        data = self._data
        if hasattr(data, "iter_rows"):  # polars
            yield from data.iter_rows(named=True)
        elif hasattr(data, "iloc"):  # pandas
            for first in range(0, len(data), ROWS_AT_ONCE):
                yield from data.iloc[first : first + ROWS_AT_ONCE].to_dict("records")
        else:
            yield from self._of_arrow()

    def _of_arrow(self) -> Iterator[dict[str, Any]]:
        data = self._data
        batches = data.to_batches() if hasattr(data, "to_batches") else [data] if hasattr(data, "to_pylist") else data
        for batch in batches:
            for first in range(0, batch.num_rows, ROWS_AT_ONCE):
                yield from batch.slice(first, ROWS_AT_ONCE).to_pylist()
