"""Tables of Arrow: vectors as a column, and a wider schema."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

from aiomlcommons.inference.vectors import Vectors
from aiomlcommons.ingest.arrow_rows import pyarrow
from aiomlcommons.ingest.types import Sparse

# pyarrow has no type hints.
Array: TypeAlias = Any
DataType: TypeAlias = Any
Schema: TypeAlias = Any
Table: TypeAlias = Any


class Misfit(ValueError):
    """Rows whose types do not fit each other, those of earlier rows, or Parquet; the message names the field."""


def arrow() -> Any:
    """Return pyarrow, with its module for Parquet. Raises ImportError that says how to install it."""
    return pyarrow("parquet")


def vectors_of(vectors: Vectors | Sparse) -> Array:
    """Build a column of vectors: FixedSizeList over the memory of the array, or maps of tokens to weights."""
    pa = arrow()
    if isinstance(vectors, list):
        return pa.array([list(weights.items()) for weights in vectors], pa.map_(pa.string(), pa.float32()))
    flat = np.ascontiguousarray(vectors, vectors.dtype.newbyteorder("=")).reshape(-1)
    return pa.FixedSizeListArray.from_arrays(pa.array(flat), vectors.shape[1])


def conformed(table: Table, schema: Schema) -> Table:
    """Cast a table to a wider schema: missing columns become null, numbers get the wider type.

    Raises Misfit, which names the field, if a value would be changed.
    """
    pa = arrow()
    if table.schema.equals(schema, check_metadata=True):
        return table

    def column(field: Any) -> Any:
        if field.name not in table.column_names:
            return pa.nulls(table.num_rows, field.type)
        found = table.column(field.name)
        try:
            return found if found.type == field.type else found.cast(field.type)
        except pa.ArrowException as error:
            raise Misfit(f"its field {field.name!r} does not fit into {field.type}: {error}") from None

    return pa.Table.from_arrays([column(field) for field in schema], schema=schema)
