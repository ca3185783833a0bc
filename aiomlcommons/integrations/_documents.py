"""Batches as documents of an index: those that have an id and a vector, and why others are none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import numpy as np

from aiomlcommons.errors import InvalidRequest
from aiomlcommons.inference.vectors import Vectors
from aiomlcommons.ingest.sinks.arrow_tables import arrow
from aiomlcommons.ingest.types import Documents, Row, Sparse
from aiomlcommons.integrations._columns import Columns, column, names_of, rows_of, without_column
from aiomlcommons.integrations.errors import RowsFailed


@attrs.frozen
class Divided:
    """The documents of a batch, whose ``numbers`` are their rows in it, and why each other row is none."""

    documents: Documents
    reasons: dict[int, str]


def documents_of(batch: Columns, id: str, field: str) -> Documents:
    """Convert a batch to documents: ids from the column ``id``, vectors from ``field``, rows from all but ``field``.

    Raises as ``column`` does, InvalidRequest if the vectors are not all of one dimension, and RowsFailed with all rows
    whose id is neither text nor a whole number, or with all that have no vector.
    """
    ids = column(batch, id)
    if bad := _bad_ids(ids):
        raise RowsFailed.of(bad)
    if missing := _without_vector(batch, field):
        raise RowsFailed.of(missing, list(map(str, ids)))
    return _documents(batch, range(len(ids)), id, field)


def divided(batch: Columns, id: str, field: str, error: str) -> Divided:
    """Convert those rows that can be documents. A row with a reason in the column ``error`` keeps it, and is none.

    Raises as ``documents_of`` does, but no RowsFailed.
    """
    ids, told = column(batch, id), dict[int, str]()
    if error in names_of(batch):
        told = {row: why for row, why in enumerate(column(batch, error)) if isinstance(why, str)}
        batch = without_column(batch, error)
    reasons = {**_without_vector(batch, field), **_bad_ids(ids), **told}
    rows = [row for row in range(len(ids)) if row not in reasons]
    return Divided(_documents(rows_of(batch, rows) if reasons else batch, rows, id, field), reasons)


def _documents(batch: Columns, numbers: Sequence[int], id: str, field: str) -> Documents:
    ids, vectors = list(map(str, column(batch, id))), _vectors(batch, field)
    rest = {name: column(batch, name) for name in names_of(batch) if name != field}
    rows: list[Row] = [dict(zip(rest, values, strict=True)) for values in zip(*rest.values(), strict=True)]
    return Documents(ids, rows, [""] * len(ids), vectors, numbers)


def _bad_ids(ids: Sequence[Any]) -> dict[int, str]:
    return {
        row: f"its id must be text or a whole number, not {key!r}"
        for row, key in enumerate(ids)
        if not isinstance(key, str | int) or key == ""
    }


def _without_vector(batch: Columns, name: str) -> dict[int, str]:
    if isinstance(batch, Mapping):
        array = batch.get(name)
        some = array is not None and array.dtype == object
        missing = [row for row, one in enumerate(array) if one is None] if some else []  # type: ignore[arg-type]
    else:
        some = name in names_of(batch) and batch[name].null_count
        missing = np.flatnonzero(batch[name].is_null().to_numpy()).tolist() if some else []
    return dict.fromkeys(missing, f"it has no vector: {name!r} is null")


def _vectors(batch: Columns, name: str) -> Vectors | Sparse:
    array = _array(batch, name)
    if array is not None:
        return array
    values = column(batch, name)
    if any(map(_are_weights, values)):
        return [dict(map(_pair, value)) for value in values]
    lengths = {len(value) if isinstance(value, Sequence | np.ndarray) else None for value in values}
    if len(lengths) > 1 or None in lengths:
        raise InvalidRequest(f"the column {name!r} must hold vectors, all of one dimension")
    return np.array(values, np.float32)


def _are_weights(value: Any) -> bool:
    """Return whether a value is a sparse vector as Embed returns it: a map, which Arrow gives as pairs, or objects."""
    return isinstance(value, list) and len(value) > 0 and isinstance(value[0], tuple | Mapping)


def _pair(weight: Any) -> tuple[str, float]:
    return (weight["token"], weight["weight"]) if isinstance(weight, Mapping) else weight


def _array(batch: Columns, name: str) -> Vectors | None:
    """Return a column of fixed-size vectors as an array without a copy, or None for any other."""
    if isinstance(batch, Mapping):
        found = batch.get(name)
        return found if isinstance(found, np.ndarray) and found.ndim == 2 else None
    if name not in names_of(batch) or not arrow().types.is_fixed_size_list(batch.schema.field(name).type):
        return None
    lists = batch[name].combine_chunks()
    return np.asarray(lists.flatten()).reshape(len(lists), lists.type.list_size)
