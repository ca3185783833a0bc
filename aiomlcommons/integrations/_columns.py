"""Reading and adding columns of a Ray batch, of numpy arrays or of Arrow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np

from aiomlcommons.errors import InvalidRequest
from aiomlcommons.inference.vectors import Vectors
from aiomlcommons.ingest.sinks.arrow_tables import arrow, vectors_of
from aiomlcommons.ingest.types import Documents, Row, Sparse
from aiomlcommons.integrations.errors import RowsFailed
from aiomlcommons.spelling import did_you_mean

# A batch of Ray Data: numpy arrays by name, or a pyarrow Table (pyarrow has no type hints).
Columns: TypeAlias = Any


def column(batch: Columns, name: str) -> list[Any]:
    """Return the values of a column. Raises InvalidRequest if it is missing, TypeError for another batch format."""
    if name not in (names := _names(batch)):
        hint = did_you_mean(name, names, f"it has {', '.join(map(repr, names)) or 'none'}")
        raise InvalidRequest(f"the batch has no column {name!r}; {hint}")
    values: list[Any] = batch[name].tolist() if isinstance(batch, Mapping) else batch[name].to_pylist()
    return values


def _names(batch: Columns) -> list[str]:
    names: list[str] | None = list(batch) if isinstance(batch, Mapping) else getattr(batch, "column_names", None)
    if names is None:
        raise TypeError(f'batch_format must be "numpy" or "pyarrow"; the batch is a {type(batch).__name__}')
    return names


def check_texts(texts: Sequence[Any], ids: Sequence[str]) -> None:
    """Raise RowsFailed with all rows whose text is not a string."""
    bad = [row for row, text in enumerate(texts) if not isinstance(text, str)]
    if bad:
        why = f"its text must be a string, not {type(texts[bad[0]]).__name__}"
        raise RowsFailed(bad, [ids[row] for row in bad], why)


def with_column(batch: Columns, name: str, parts: Sequence[Vectors | Sparse]) -> Columns:
    """Return the batch with the vectors, given in parts, as a new column, or in place of an existing one."""
    joined = _joined(parts)
    if isinstance(batch, Mapping):
        return {**batch, name: _pairs(joined) if isinstance(joined, list) else joined}
    column, index = vectors_of(joined), batch.schema.get_field_index(name)
    return batch.append_column(name, column) if index < 0 else batch.set_column(index, name, column)


def without_column(batch: Columns, name: str) -> Columns:
    """Return the batch without a column."""
    if isinstance(batch, Mapping):
        return {key: values for key, values in batch.items() if key != name}
    return batch.drop_columns([name])


def documents_of(batch: Columns, id: str, field: str) -> Documents:
    """Convert a batch to documents: ids from the column ``id``, vectors from ``field``, rows from all but ``field``.

    Raises as ``column`` does, InvalidRequest if the vectors are not all of one dimension, and RowsFailed with all rows
    whose id is neither text nor a whole number.
    """
    ids, vectors = column(batch, id), _vectors(batch, field)
    if bad := [row for row, key in enumerate(ids) if not isinstance(key, str | int) or key == ""]:
        raise RowsFailed(bad, [], f"its id must be text or a whole number, not {ids[bad[0]]!r}")
    rest = {name: column(batch, name) for name in _names(batch) if name != field}
    rows: list[Row] = [dict(zip(rest, values, strict=True)) for values in zip(*rest.values(), strict=True)]
    return Documents(list(map(str, ids)), rows, [""] * len(ids), vectors)


def _vectors(batch: Columns, name: str) -> Vectors | Sparse:
    array = _array(batch, name)
    if array is not None:
        return array
    values = column(batch, name)
    if any(map(_are_weights, values)):
        return [dict(map(_pair, value or ())) for value in values]
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
    if name not in _names(batch) or not arrow().types.is_fixed_size_list(batch.schema.field(name).type):
        return None
    lists = batch[name].combine_chunks()
    return None if lists.null_count else np.asarray(lists.flatten()).reshape(len(lists), lists.type.list_size)


def _joined(parts: Sequence[Vectors | Sparse]) -> Vectors | Sparse:
    dense = [part for part in parts if not isinstance(part, list)]
    if dense:
        return np.concatenate(dense).astype(np.float32, copy=False)
    return [weights for part in parts if isinstance(part, list) for weights in part]


def _pairs(sparse: Sparse) -> Vectors:
    """Return an array of lists of pairs, because Ray turns plain dicts into a column for each token."""
    column = np.empty(len(sparse), object)
    column[:] = [[{"token": token, "weight": weight} for token, weight in one.items()] for one in sparse]
    return column
