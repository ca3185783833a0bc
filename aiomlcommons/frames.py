"""Convert columns, rows, pandas and Arrow to the data frames of the classic algorithms, and back to columns.

    frame = frames.from_columns({"a": [0.0, 1.0], "b": np.array([2, 3])})
    trained = await ml.train("kmeans", parameters={"centroids": 2}, input_data=frame)

The type of a column is inferred: BOOLEAN, INTEGER (or LONG if 32 bits do not suffice), DOUBLE or STRING; integers mixed
with floats are DOUBLE. A numpy array, a pandas column or an Arrow one keeps its width: ``int16`` is SHORT, ``int32``
INTEGER, ``int64`` LONG, ``float32`` FLOAT, ``float64`` DOUBLE. None and NaN are missing values. A value that cannot be
represented raises InvalidRequest, which names the column and the row (counted from 0).

https://docs.opensearch.org/latest/ml-commons-plugin/api/train-predict/train/
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from aiomlcommons.api.predict import Cell, ColumnMeta, DataFrame, Row
from aiomlcommons.errors import InvalidRequest

Column: TypeAlias = tuple[str | None, list[Any]]
"""The type of a column (None: to be inferred) and its values."""

INT32, INT64, EXACT = 2**31, 2**63, 2**53
# Keys are the type names of numpy, pandas and Arrow.
KINDS: Mapping[str, str] = {
    **dict.fromkeys(("bool", "boolean"), "BOOLEAN"),
    **dict.fromkeys(("int8", "uint8", "int16"), "SHORT"),
    **dict.fromkeys(("uint16", "int32"), "INTEGER"),
    **dict.fromkeys(("uint32", "int64", "uint64"), "LONG"),
    **dict.fromkeys(("float16", "halffloat", "float32", "float"), "FLOAT"),
    **dict.fromkeys(("float64", "double"), "DOUBLE"),
    **dict.fromkeys(("str", "string", "large_string", "string_view"), "STRING"),
}
DTYPES = {"BOOLEAN": "bool", "SHORT": "i2", "INTEGER": "i4", "LONG": "i8", "FLOAT": "f4", "DOUBLE": "f8"}
FAMILIES: Mapping[type, str] = {bool: "a boolean", int: "a number", float: "a number", str: "text"}


def from_columns(columns: Mapping[str, Iterable[Any]]) -> DataFrame:
    """Build a frame from named columns, each a sequence or a one-dimensional numpy array.

    Raises InvalidRequest for no columns or no rows, columns of different lengths, a column that mixes types or has only
    missing values, and values of an unsupported type.
    """
    if not isinstance(columns, Mapping):
        raise InvalidRequest(f"columns must be a mapping from names to lists, not {type(columns).__name__}")
    return _frame({name: _values(name, values) for name, values in columns.items()})


def from_rows(rows: Iterable[Mapping[str, Any]]) -> DataFrame:
    """Build a frame from rows; an absent key is a missing value. Raises as ``from_columns`` does."""
    if not isinstance(rows, Iterable) or isinstance(rows, str | bytes | Mapping):
        raise InvalidRequest(f"rows must be a list of mappings, not {type(rows).__name__}")
    given = list(rows)
    for i, row in enumerate(given):
        if not isinstance(row, Mapping):
            raise InvalidRequest(f"row {i} must be a mapping of names to values, not {type(row).__name__}")
    names = dict.fromkeys(name for row in given for name in row)
    return _frame({name: (None, [row.get(name) for row in given]) for name in names})


# Neither library is imported (duck typing): the methods of the object itself suffice.


def from_pandas(frame: Any) -> DataFrame:
    """Build a frame from a pandas data frame, without its index. Raises as ``from_columns`` does."""
    return _frame({name: _of_pandas(frame[name]) for name in _once(frame.columns)})


def from_arrow(table: Any) -> DataFrame:
    """Build a frame from an Arrow table or record batch. Raises as ``from_columns`` does."""
    return _frame({name: _of_arrow(table.column(name)) for name in _once(table.schema.names)})


def to_columns(frame: DataFrame) -> dict[str, list[Any]]:
    """Return the columns of a frame by name; a missing value is None."""
    return {meta.name: [row.values[i].value for row in frame.rows] for i, meta in enumerate(frame.column_metas)}


def to_arrays(frame: DataFrame) -> dict[str, npt.NDArray[Any]]:
    """Return the columns of a frame by name as numpy arrays: ``int32`` for INTEGER and so on, ``object`` for text.

    A missing number is NaN, so integers become ``float64``; a boolean or text column with missing values is ``object``
    with None.
    """
    kinds = {meta.name: meta.column_type for meta in frame.column_metas}
    return {name: _array(kinds[name], values) for name, values in to_columns(frame).items()}


def _values(name: str, values: Iterable[Any]) -> Column:
    if isinstance(values, np.ndarray):
        if values.ndim != 1:
            raise InvalidRequest(f"column {name!r} must have one dimension, not the shape {values.shape}")
        return KINDS.get(values.dtype.name), values.tolist()
    if isinstance(values, str | bytes | Mapping | Set) or not isinstance(values, Iterable):
        raise InvalidRequest(f"column {name!r} must be a sequence or an array, not {type(values).__name__}")
    return None, list(values)


def _of_pandas(series: Any) -> Column:
    # Nullable columns name the numpy type that they wrap: Int32 has int32.
    kind = KINDS.get(str(getattr(series.dtype, "numpy_dtype", series.dtype)))
    return kind, [None if missing else value for value, missing in zip(series.tolist(), series.isna(), strict=True)]


def _of_arrow(column: Any) -> Column:
    return KINDS.get(str(column.type)), column.to_pylist()


def _once(names: Iterable[str]) -> list[str]:
    found = list(names)
    for name in found:
        if found.count(name) > 1:
            raise InvalidRequest(f"column {name!r} occurs {found.count(name)} times; column names must be unique")
    return found


def _frame(columns: Mapping[str, Column]) -> DataFrame:
    for name in columns:
        if not isinstance(name, str):
            raise InvalidRequest(f"column names must be text, not {name!r}")
    _check_size({name: len(values) for name, (_, values) in columns.items()})
    typed = {name: _typed(name, *column) for name, column in columns.items()}
    rows = [Row(list(cells)) for cells in zip(*(cells for _, cells in typed.values()), strict=True)]
    return DataFrame([ColumnMeta(name, kind) for name, (kind, _) in typed.items()], rows)


def _check_size(counts: Mapping[str, int]) -> None:
    if not any(counts.values()):
        raise InvalidRequest("a data frame must have a column and a row")
    first = next(iter(counts))
    for name, count in counts.items():
        if count != counts[first]:
            raise InvalidRequest(f"column {name!r} has {count} rows, but column {first!r} has {counts[first]}")


def _typed(name: str, kind: str | None, values: Sequence[Any]) -> tuple[str, list[Cell]]:
    plain = [_plain(value) for value in values]
    families = _families(name, plain)
    kind = kind or _kind(name, plain, families)
    # The server fails to parse any value after the type NULL, even a null.
    return kind, [
        Cell("NULL") if value is None else Cell(kind, _fit(name, i, kind, value)) for i, value in enumerate(plain)
    ]


def _plain(value: Any) -> Any:
    value = value.item() if isinstance(value, np.generic) else value
    return None if isinstance(value, float) and math.isnan(value) else value


def _families(name: str, values: Sequence[Any]) -> dict[str, int]:
    """Return the families of types among a column's values, each with its first row; raise if there are several."""
    found: dict[str, int] = {}
    for i, value in enumerate(values):
        if value is not None:
            family = next((word for cls, word in FAMILIES.items() if isinstance(value, cls)), None)
            if family is None:
                raise InvalidRequest(
                    f"column {name!r}, row {i}: a data frame cannot hold values of type {type(value).__name__}"
                )
            found.setdefault(family, i)
    if len(found) > 1:
        first, other = list(found)[:2]
        words = f"row {found[first]} is {first} and row {found[other]} is {other}"
        raise InvalidRequest(f"column {name!r} mixes types: {words}")
    return found


def _kind(name: str, values: Sequence[Any], families: Mapping[str, int]) -> str:
    if not families:
        raise InvalidRequest(f"column {name!r} has only missing values, so its type cannot be inferred")
    if "a number" not in families:
        return "STRING" if "text" in families else "BOOLEAN"
    numbers = [value for value in values if value is not None]
    if any(isinstance(number, float) for number in numbers):
        return "DOUBLE"
    return "INTEGER" if all(-INT32 <= number < INT32 for number in numbers) else "LONG"


def _fit(name: str, row: int, kind: str, value: Any) -> Any:
    is_integer = isinstance(value, int)
    if isinstance(value, float) and math.isinf(value):
        raise InvalidRequest(f"column {name!r}, row {row}: JSON cannot represent {value}")
    if is_integer and kind == "DOUBLE":
        if abs(value) > EXACT:
            raise InvalidRequest(f"column {name!r}, row {row}: a DOUBLE cannot hold {value} exactly")
        return float(value)
    if is_integer and not -INT64 <= value < INT64:
        raise InvalidRequest(f"column {name!r}, row {row}: a LONG cannot hold {value}")
    return value


def _array(kind: str, values: Sequence[Any]) -> npt.NDArray[Any]:
    dtype = DTYPES.get(kind, "object")
    if all(value is not None for value in values):
        return np.array(values, dtype)
    if dtype in {"bool", "object"}:
        return np.array(values, "object")
    return np.array([math.nan if value is None else value for value in values], "f4" if dtype == "f4" else "f8")
