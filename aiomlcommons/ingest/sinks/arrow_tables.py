"""Documents as Arrow tables: columns from rows, vectors without a copy, and schemas that grow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, TypeAlias

import numpy as np

from aiomlcommons.inference.vectors import Vectors
from aiomlcommons.ingest.types import Row, Sparse

# pyarrow has no type hints.
Table: TypeAlias = Any
Schema: TypeAlias = Any


class Misfit(ValueError):
    """Rows whose types do not fit each other or those of earlier rows; the message names the column."""


def arrow() -> Any:
    """Import pyarrow. Raises ImportError that says how to install it."""
    try:
        import_module("pyarrow.parquet")
        return import_module("pyarrow")
    except ImportError as error:
        raise ImportError("Parquet needs pyarrow: pip install aiomlcommons[arrow]") from error


def table_of(rows: Sequence[Row], field: str, vectors: Any) -> Table:
    """Build a table of rows with their vectors as ``field``; a key that a row lacks is null. Raises Misfit."""
    pa = arrow()
    names = dict.fromkeys(key for row in rows for key in row if key != field)
    if not all(isinstance(name, str) for name in names):
        raise Misfit(f"its keys are not all text: {list(names)}")
    return pa.table({**{name: _column(name, [row.get(name) for row in rows]) for name in names}, field: vectors})


def vectors_of(vectors: Vectors | Sparse) -> Any:
    """Build a column of vectors: FixedSizeList over the memory of the array, or maps of tokens to weights."""
    pa = arrow()
    if isinstance(vectors, list):
        return pa.array([list(weights.items()) for weights in vectors], pa.map_(pa.string(), pa.float32()))
    flat = np.ascontiguousarray(vectors, vectors.dtype.newbyteorder("=")).reshape(-1)
    return pa.FixedSizeListArray.from_arrays(pa.array(flat), vectors.shape[1])


def unified(*schemas: Schema) -> Schema:
    """Return a schema that all of them can be cast to. Raises Misfit if there is none."""
    pa = arrow()
    try:
        return pa.unify_schemas([schema.remove_metadata() for schema in schemas], promote_options="permissive")
    except (pa.ArrowTypeError, pa.ArrowInvalid) as error:
        raise Misfit(str(error)) from None


def conformed(table: Table, schema: Schema) -> Table:
    """Cast a table to a wider schema: missing columns become null, numbers get the wider type."""
    pa = arrow()

    def column(field: Any) -> Any:
        if field.name not in table.column_names:
            return pa.nulls(table.num_rows, field.type)
        found = table.column(field.name)
        # Not "safe": integers above 2**53 are rounded when they become float64, as in any JSON reader.
        return found if found.type == field.type else found.cast(field.type, safe=False)

    return pa.Table.from_arrays([column(field) for field in schema], schema=schema)


def fitting(rows: Sequence[Row], field: str, vectors: Any, known: Schema) -> tuple[list[Table], Schema, dict[int, str]]:
    """Add rows to a schema one by one; return those that fit, the wider schema, and why the others do not fit."""
    tables: list[Table] = []
    reasons: dict[int, str] = {}
    for i, row in enumerate(rows):
        try:
            table = table_of([row], field, vectors.slice(i, 1))
            known = unified(known, table.schema)
            tables.append(table)
        except Misfit as error:
            reasons[i] = str(error)
    return [arrow().concat_tables([conformed(table, known) for table in tables])] if tables else [], known, reasons


def _column(name: str, values: list[Any]) -> Any:
    pa = arrow()
    try:
        array = pa.array(values)
        return pa.array([_without_empty(value) for value in values]) if _holds_empty(array.type) else array
    except (pa.ArrowException, OverflowError, ValueError, TypeError) as error:
        raise Misfit(f"column {name!r}: {error}") from None


def _holds_empty(kind: Any) -> bool:
    """Return whether a type contains a struct without fields, which Parquet cannot store."""
    pa = arrow()
    parts = [kind.field(i).type for i in range(kind.num_fields)]
    return (pa.types.is_struct(kind) and not parts) or any(map(_holds_empty, parts))


def _without_empty(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_empty(inner) for key, inner in value.items()} or None
    return [_without_empty(inner) for inner in value] if isinstance(value, list | tuple) else value
