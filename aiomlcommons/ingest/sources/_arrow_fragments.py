"""The fragments of an Arrow dataset, read row group by row group; a file is closed as soon as it is read."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import IO, Any, Protocol, TypeAlias

import attrs

from aiomlcommons.errors import InvalidRequest
from aiomlcommons.inference.tables import with_index
from aiomlcommons.ingest.arrow_rows import pyarrow

Columns: TypeAlias = "Sequence[str] | None"


class Part(Protocol):
    """A fragment of a dataset, such as a file."""

    @property
    def groups(self) -> int:
        """The number of row groups."""
        ...

    def batches(self, group: int, size: int) -> Iterator[Any]:
        """Yield the record batches of a row group, of about ``size`` rows each."""
        ...


@contextmanager
def opened_part(dataset: Any, fragment: Any, columns: Columns, *, own: bool) -> Generator[Part]:
    """Open a fragment of a dataset: a file of a dataset that is our ``own``, or any fragment of a caller's dataset."""
    if not own:
        yield _Fragment(dataset, fragment, columns)
        return
    # Not by a scan of the dataset, whose threads keep files open for a while after it is closed.
    keys = _Keys(dataset.schema, pyarrow("dataset").dataset.get_partition_keys(fragment.partition_expression))
    with fragment.open() as file:
        if hasattr(fragment, "row_groups"):
            yield _Parquet(pyarrow("parquet").parquet.ParquetFile(file), columns, keys)
        else:
            yield _Ipc(pyarrow("ipc").ipc.open_file(file), columns, keys)


@attrs.frozen
class _Keys:
    """The partition keys of a file: columns from the name of its folder, the same in all rows."""

    schema: Any
    values: Mapping[str, Any]

    def added(self, batch: Any) -> Any:
        """Return a record batch with the keys as columns; they replace columns of the same name."""
        for field in (self.schema.field(name) for name in self.schema.names if name in self.values):
            column = pyarrow().array([self.values[field.name]] * len(batch), field.type)
            if field.name in batch.schema.names:
                batch = batch.drop_columns([field.name])
            batch = batch.append_column(field, column)
        return batch


@attrs.frozen
class _Parquet:
    file: Any
    columns: Columns
    keys: _Keys

    @property
    def groups(self) -> int:
        return int(self.file.num_row_groups)

    def batches(self, group: int, size: int) -> Iterator[Any]:
        names = _present(self.file.schema_arrow, self.columns)
        yield from map(self.keys.added, self.file.iter_batches(size, row_groups=[group], columns=names))


@attrs.frozen
class _Ipc:
    file: Any
    columns: Columns
    keys: _Keys

    @property
    def groups(self) -> int:
        return int(self.file.num_record_batches)

    def batches(self, group: int, size: int) -> Iterator[Any]:
        batch = self.file.get_batch(group)
        names = _present(batch.schema, self.columns)
        chosen = batch if names is None else batch.select(names)
        for begin in range(0, len(batch), size):
            yield self.keys.added(chosen.slice(begin, size))


@attrs.frozen
class _Fragment:
    dataset: Any
    fragment: Any
    columns: Columns

    @property
    def groups(self) -> int:
        return len(self._pieces())

    def _pieces(self) -> list[Any]:
        split = getattr(self.fragment, "split_by_row_group", None)
        return [self.fragment] if split is None else list(split())

    def batches(self, group: int, size: int) -> Iterator[Any]:
        names = None if self.columns is None else list(self.columns)
        options = {"schema": self.dataset.schema, "columns": names, "batch_size": size}
        yield from self._pieces()[group].to_batches(**options)


def _present(schema: Any, columns: Columns) -> list[str] | None:
    """Return those of the columns that this file has; files of a dataset may differ."""
    return None if columns is None else [name for name in columns if name in schema.names]


@contextmanager
def opened_stream(file: IO[bytes] | str) -> Generator[Any]:
    """Open a file in Arrow's streaming format, and yield its reader; the file of a path is mapped into memory."""
    source = pyarrow().memory_map(file) if isinstance(file, str) else file
    with source, closing(pyarrow("ipc").ipc.open_stream(source)) as reader:
        yield reader


def as_table(data: Any) -> Any:
    """Convert an object with the Arrow C stream interface, such as a data frame, to a Table.

    The index of a data frame is a column if it has a name. Raises InvalidRequest for a RecordBatchReader, which can be
    read only once, and for a frame with columns that Arrow cannot hold.
    """
    name = type(data).__name__
    if name == "RecordBatchReader":
        raise InvalidRequest("a RecordBatchReader can be read once only: give a Table, a Dataset or the files")
    if not hasattr(data, "__arrow_c_stream__"):
        return data
    try:
        if hasattr(data, "reset_index"):  # pandas
            return pyarrow().Table.from_pandas(with_index(data), preserve_index=False)
        return pyarrow().table(data)
    except (ValueError, TypeError) as error:
        remedy = "give its rows, such as frame.to_dict('records')"
        raise InvalidRequest(f"the {name} cannot be converted to an Arrow table: {error}; {remedy}") from error
