"""Files of tables: streams of Arrow, by their suffix, which are fast to write and to read, and Parquet."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import IO, Any, TypeAlias

from aiomlcommons.ingest.sinks.arrow_tables import Schema, Table, arrow

STREAM = ".arrow"
# Rows of a record batch, which is what is in memory while a file is read; the Parquet reader needs several times that.
ROWS_AT_ONCE = 512
READ_BUFFER = 1 << 16
# Opens what writes tables of a schema into a file.
Format: TypeAlias = Callable[[IO[bytes], Schema], AbstractContextManager[Callable[[Table], None]]]


@contextmanager
def stream(file: IO[bytes], schema: Schema) -> Generator[Callable[[Table], None]]:
    """Write a stream of Arrow."""
    with arrow().ipc.new_stream(file, schema) as writer:
        yield lambda table: writer.write_table(table, max_chunksize=ROWS_AT_ONCE)


@contextmanager
def parquet(file: IO[bytes], schema: Schema, vectors: str) -> Generator[Callable[[Table], None]]:
    """Write Parquet with a row group for each table; ``vectors`` is the column of these."""
    # Without compliant names the types of nested fields are the same when they are read back.
    names: dict[str, Any] = {"use_compliant_nested_type": False}
    with arrow().parquet.ParquetWriter(file, schema, **names, **_encoding(schema, vectors, names)) as writer:
        yield lambda table: writer.write_table(table, row_group_size=max(1, table.num_rows))


def _encoding(schema: Schema, vectors: str, names: dict[str, Any]) -> dict[str, Any]:
    """Return how columns are encoded: texts by a dictionary, and vectors as they are.

    Their numbers are nearly all distinct, no general codec shrinks them, and nobody looks for the least of them.
    """
    empty = io.BytesIO()
    arrow().parquet.write_table(schema.empty_table(), empty, **names)
    leaves = arrow().parquet.read_metadata(empty).schema
    paths = [leaves.column(i).path for i in range(len(leaves))]
    numbers = _path_of_numbers(schema, vectors)
    return {
        "use_dictionary": [field.name for field in schema if arrow().types.is_string(field.type)],
        "compression": {path: "none" if path == numbers else "snappy" for path in paths},
        "write_statistics": [path for path in paths if path != numbers],
    }


def _path_of_numbers(schema: Schema, vectors: str) -> str | None:
    """Return the path of the numbers of dense vectors, None if there are none."""
    types = arrow().types
    kind = schema.field(vectors).type if vectors in schema.names else None
    if kind is None or not (types.is_fixed_size_list(kind) and types.is_floating(kind.value_type)):
        return None
    return f"{vectors}.list.{kind.value_field.name}"


def rows_in(path: Path) -> int:
    """Return the number of rows of a file. Raises OSError, ArrowInvalid."""
    if path.suffix != STREAM:
        with _opened(path) as file:
            return int(arrow().parquet.read_metadata(file).num_rows)
    # Mapped into memory, so that the values are not read.
    with arrow().memory_map(os.fsencode(path)) as file, arrow().ipc.open_stream(file) as reader:
        return sum(batch.num_rows for batch in reader)


def schema_of(path: Path) -> Schema:
    """Return the schema of a file. Raises OSError, ArrowInvalid."""
    with _opened(path) as file:
        if path.suffix != STREAM:
            return arrow().parquet.read_schema(file)
        with arrow().ipc.open_stream(file) as reader:
            return reader.schema


def tables_in(path: Path) -> Iterator[Table]:
    """Yield the rows of a file in small tables. Raises OSError, ArrowInvalid."""
    with _opened(path) as file:
        if path.suffix == STREAM:
            with arrow().ipc.open_stream(file) as reader:
                yield from (arrow().Table.from_batches([batch]) for batch in reader)
            return
        whole = arrow().parquet.ParquetFile(file, buffer_size=READ_BUFFER, pre_buffer=False)
        # Without threads, each of which would keep a memory pool of its own.
        for batch in whole.iter_batches(ROWS_AT_ONCE, use_threads=False):
            yield arrow().Table.from_batches([batch])


def names_in(path: Path) -> list[str] | None:
    """Return the names of the columns of a Parquet file, or None if it is none. Raises OSError."""
    try:
        return list(schema_of(path).names)
    except arrow().ArrowInvalid:
        return None


def _opened(path: Path) -> Any:
    """Open a file for pyarrow, which takes a name that is not UTF-8 only as bytes."""
    return arrow().OSFile(os.fsencode(path))
