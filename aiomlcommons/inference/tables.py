"""Data frames, Arrow tables and columns as rows and values; no library is imported for it (duck typing)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from aiomlcommons.errors import InvalidRequest

ROWS_AT_ONCE = 1_000
# Names that a column of texts usually has, the likeliest first.
USUAL = ("text", "texts", "body", "content", "document", "passage", "sentence", "chunk", "abstract", "description")
_KINDS_OF_TEXT = ("str", "object", "large_str", "utf8", "<u", "dictionary<values=string", "cat")


def is_column(data: Any) -> bool:
    """Return whether data is one column: a Series, an Arrow array, or an array of numpy with one dimension."""
    if hasattr(data, "to_pylist"):
        return not hasattr(data, "schema")
    is_array = hasattr(data, "dtype") and hasattr(data, "__len__") and getattr(data, "ndim", 1) == 1
    return is_array and not _is_structured(data)


def is_table(data: Any) -> bool:
    """Return whether data has rows and named columns: a data frame, a structured array of numpy, or Arrow's.

    Those are a table, a record batch, a reader and a dataset.
    """
    if isinstance(data, type) or is_column(data):
        return False
    return (
        type(data).__name__ in {"DataFrame", "LazyFrame"}
        or (hasattr(data, "schema") and any(hasattr(data, name) for name in ("to_pylist", "to_batches")))
        or (hasattr(data, "schema") and hasattr(data, "read_next_batch"))
        or (_is_structured(data) and getattr(data, "ndim", 0) == 1)
    )


def _is_structured(data: Any) -> bool:
    return getattr(getattr(data, "dtype", None), "names", None) is not None


def values_of(column: Any) -> list[Any]:
    """Return the values of a column as a list."""
    to_list = next(getattr(column, name) for name in ("to_pylist", "to_list", "tolist") if hasattr(column, name))
    found: list[Any] = to_list()
    return found


def rows_of(table: Any) -> Iterable[dict[str, Any]]:
    """Return the rows of a table, as dicts.

    Raises InvalidRequest for a frame with two columns of one name, or one that is not computed yet.
    """
    check_computed(table)
    check_columns(table)
    if _is_structured(table):
        return [dict(zip(table.dtype.names, item, strict=True)) for item in table.tolist()]
    return _Table(with_index(table))


def with_index(frame: Any) -> Any:
    """Return a data frame of pandas with its index as a column, if that has a name; anything else as it is."""
    if not hasattr(frame, "reset_index"):
        return frame
    unusable = (name is None or name in frame.columns for name in frame.index.names)
    return frame if any(unusable) else frame.reset_index()


def check_computed(table: Any) -> None:
    """Raise InvalidRequest for a frame that is not computed yet, such as a LazyFrame."""
    if hasattr(table, "collect") and not hasattr(table, "iter_rows"):
        raise InvalidRequest(f"a {type(table).__name__} has no rows yet: give its collect()")


def check_columns(table: Any) -> None:
    """Raise InvalidRequest for a table with two columns of one name, of which a row could hold only one."""
    names = columns_of(table)
    if twice := sorted({str(name) for name in names if names.count(name) > 1}):
        raise InvalidRequest(
            f"the {type(table).__name__} has {', '.join(map(repr, twice))} more than once: rename them"
        )


def columns_of(table: Any) -> list[Any]:
    """Return the names of the columns of a table."""
    if _is_structured(table):
        return list(table.dtype.names)
    return list(table.columns if type(table).__name__ == "DataFrame" else table.schema.names)


def text_column(table: Any) -> str | None:
    """Return the name of the column that most likely holds the texts of a table, or None if none may."""
    return _likeliest(name for name, kind in _types(table) if str(kind).lower().startswith(_KINDS_OF_TEXT))


def text_field(row: Mapping[Any, Any]) -> str | None:
    """Return the name of the field that most likely holds the text of a row, or None if none may."""
    return _likeliest(name for name, value in row.items() if isinstance(value, str))


def _likeliest(names: Iterable[Any]) -> str | None:
    by_name = {name.lower(): name for name in names if isinstance(name, str)}
    return next((by_name[name] for name in USUAL if name in by_name), next(iter(by_name.values()), None))


def _types(table: Any) -> Iterable[tuple[Any, Any]]:
    if _is_structured(table):
        return [(name, table.dtype[name]) for name in table.dtype.names]
    if hasattr(table, "iloc"):  # pandas
        return list(table.dtypes.items())
    if hasattr(table, "iter_rows"):  # polars
        return list(table.schema.items())
    return [(field.name, field.type) for field in table.schema]


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
