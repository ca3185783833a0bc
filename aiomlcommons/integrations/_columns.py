"""Reading and adding columns of a batch, of numpy arrays or of Arrow."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import numpy.typing as npt

from aiomlcommons.errors import InvalidRequest
from aiomlcommons.inference.vectors import Vectors
from aiomlcommons.ingest.sinks.arrow_tables import arrow, vectors_of
from aiomlcommons.ingest.types import Sparse
from aiomlcommons.spelling import did_you_mean

# A batch of Ray Data or Spark: numpy arrays by name, or a pyarrow Table (pyarrow has no type hints).
Columns: TypeAlias = Any
OnError: TypeAlias = Literal["raise", "column"]


def check_on_error(on_error: Any, error: str, *others: str, choices: Sequence[str] = get_args(OnError)) -> None:
    """Raise InvalidRequest for an unknown choice, or a column of reasons that would replace another one."""
    if on_error not in choices:
        raise InvalidRequest(f"on_error must be {' or '.join(map(repr, choices))}, not {on_error!r}")
    if error in others and on_error != "raise":
        raise InvalidRequest(f"error must be a column of its own for the reasons, and {error!r} is another one")


def column(batch: Columns, name: str) -> list[Any]:
    """Return the values of a column. Raises InvalidRequest if it is missing, TypeError for another batch format."""
    if name not in (names := names_of(batch)):
        hint = did_you_mean(name, names, f"it has {', '.join(map(repr, names)) or 'none'}")
        raise InvalidRequest(f"the batch has no column {name!r}; {hint}")
    values: list[Any] = batch[name].tolist() if isinstance(batch, Mapping) else batch[name].to_pylist()
    return values


def names_of(batch: Columns) -> list[str]:
    """Return the names of the columns. Raises TypeError for another batch format."""
    names: list[str] | None = list(batch) if isinstance(batch, Mapping) else getattr(batch, "column_names", None)
    if names is None:
        raise TypeError(f'batch_format must be "numpy" or "pyarrow"; the batch is a {type(batch).__name__}')
    return names


def rows_of(batch: Columns, chosen: Sequence[int]) -> Columns:
    """Return some of the rows."""
    rows = np.array(chosen, np.intp)  # of this type also if there are none
    if isinstance(batch, Mapping):
        return {name: values[rows] for name, values in batch.items()}
    return batch.take(rows)


def with_vectors(batch: Columns, name: str, vectors: Vectors | Sparse, failed: Collection[int] = ()) -> Columns:
    """Return the batch with the vectors as a new column, or in place of an existing one.

    ``vectors`` are those of the rows that have not ``failed``, in their order. The others get null, and among numpy
    arrays, where a vector cannot be null, NaN.
    """
    if isinstance(batch, Mapping):
        made = _pairs(_spread_out(vectors, failed)) if isinstance(vectors, list) else _with_nan(vectors, failed)
        return {**batch, name: made}
    return with_column(batch, name, _arrow_column(vectors, failed))


def with_reasons(batch: Columns, name: str, reasons: Mapping[int, str]) -> Columns:
    """Return the batch with a column of reasons: text, and null for each row that has none."""
    if isinstance(batch, Mapping):
        rows = len(next(iter(batch.values())))
        return {**batch, name: np.array([reasons.get(row) for row in range(rows)], object)}
    pa = arrow()
    return with_column(batch, name, pa.array([reasons.get(row) for row in range(batch.num_rows)], pa.string()))


def with_column(table: Any, name: str, values: Any) -> Any:
    """Return an Arrow table with a new column, or with other values in an existing one."""
    index = table.schema.get_field_index(name)
    return table.append_column(name, values) if index < 0 else table.set_column(index, name, values)


def without_column(batch: Columns, name: str) -> Columns:
    """Return the batch without a column."""
    if isinstance(batch, Mapping):
        return {key: values for key, values in batch.items() if key != name}
    return batch.drop_columns([name])


def _arrow_column(vectors: Vectors | Sparse, failed: Collection[int]) -> Any:
    if not failed:
        return vectors_of(vectors)
    pa = arrow()
    if isinstance(vectors, list):
        spread = [one and list(one.items()) for one in _spread_out(vectors, failed)]
        return pa.array(spread, pa.map_(pa.string(), pa.float32()))
    whole = _with_nan(vectors, failed)
    are_null = pa.array([row in failed for row in range(len(whole))])
    return pa.FixedSizeListArray.from_arrays(pa.array(whole.reshape(-1)), whole.shape[1], mask=are_null)


def _with_nan(vectors: Vectors, failed: Collection[int]) -> Vectors:
    vectors = vectors.astype(np.float32, copy=False)
    if not failed:
        return vectors
    whole = np.full((len(vectors) + len(failed), vectors.shape[1]), np.nan, np.float32)
    whole[[row for row in range(len(whole)) if row not in failed]] = vectors
    return whole


def _spread_out(sparse: Sparse, failed: Collection[int]) -> list[dict[str, float] | None]:
    found = iter(sparse)
    return [None if row in failed else next(found) for row in range(len(sparse) + len(failed))]


def _pairs(sparse: Sequence[dict[str, float] | None]) -> npt.NDArray[Any]:
    """Return an array of lists of pairs, because Ray turns plain dicts into a column for each token."""
    column = np.empty(len(sparse), object)
    column[:] = [one and [{"token": token, "weight": weight} for token, weight in one.items()] for one in sparse]
    return column
