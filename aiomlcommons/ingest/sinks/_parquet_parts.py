"""The numbered Parquet files of a sink that is not complete. All of it is blocking: call it in a thread."""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from os import PathLike
from pathlib import Path
from typing import IO, Any

from aiomlcommons.ingest.durable import REMEDY, hold, sync_folder
from aiomlcommons.ingest.errors import SinkError
from aiomlcommons.ingest.paths import naming
from aiomlcommons.ingest.sinks.arrow_tables import Schema, Table, arrow, conformed, unified

ENDING = ".parquet"
# Readers skip what they need not by row groups, so a file wants neither thousands of them nor huge ones; whoever writes
# one holds all of it.
GROUP_ROWS = 1 << 16
GROUP_BYTES = 1 << 24
# What Parquet's reader decodes at once takes several times its size, so that must be little.
ROWS_AT_ONCE = 512
READ_BUFFER = 1 << 16


class Folder:
    """``NAME.parts/`` with ``00000000.parquet`` and so on: each is durable, or not there."""

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path = Path(path)
        self.folder = self.path.with_name(self.path.name + ".parts")
        self._joined = self.path.with_name(self.path.name + ".part")
        self._done = self.path.with_name(self.path.name + ".parts.old")
        self._count = 0
        self._was_complete = False
        self._held: int | None = None

    def open(self, rows: int | None) -> Schema | None:
        """Begin anew, or keep just the first ``rows`` rows; return their schema, None where there is no row.

        Raises SinkError where the rows are not there any more, OSError.
        """
        shutil.rmtree(self._done, ignore_errors=True)
        kept = self._kept(rows) if rows else []
        # A job that had come to its end: its file stays as it is unless there is more to write.
        self._was_complete = kept == [self.path]
        self._count = len(kept)
        if not self._was_complete:
            self._begin()
            for stale in set(self.folder.iterdir()) - set(kept):
                stale.unlink()
        return unified(*map(_schema, kept)) if kept else None

    def add(self, table: Table) -> None:
        """Write a table as the next file. Raises OSError, naming the file."""
        self._take_back()
        path = self._numbered(self._count)
        _write(path.with_suffix(".part"), [table], table.schema)
        path.with_suffix(".part").replace(path)
        sync_folder(self.folder)
        self._count += 1

    def complete(self, empty: Schema) -> None:
        """Join the files, row group by row group, into one of the sink's name; ``empty`` is for one without rows.

        Raises OSError, naming the file; the numbered files stay then.
        """
        if self._was_complete:
            return
        files = [self._numbered(i) for i in range(self._count)]
        schema = unified(*map(_schema, files)) if files else empty
        _write(self._joined, _gathered(files, schema), schema)
        self._joined.replace(self.path)
        sync_folder(self.path.parent)
        # In one step: a folder that lacks some of its files would be no place to go on from.
        self.folder.replace(self._done)
        shutil.rmtree(self._done)

    def close(self) -> None:
        """Let others write here."""
        held, self._held = self._held, None
        if held is not None:
            os.close(held)

    def _numbered(self, number: int) -> Path:
        return self.folder / f"{number:08}{ENDING}"

    def _kept(self, rows: int) -> list[Path]:
        kept: list[Path] = []
        found = 0
        while found < rows and (path := self._numbered(len(kept))).exists():
            kept.append(path)
            found += _rows(path)
        if found == rows:
            return kept
        if self.path.exists() and _rows(self.path) == rows:
            return [self.path]
        raise SinkError(f"{self.folder} does not hold the {rows:,} rows that were written before: {REMEDY}")

    def _take_back(self) -> None:
        if self._was_complete:
            shutil.rmtree(self.folder, ignore_errors=True)
            self._begin()
            self.path.replace(self._numbered(0))
            self._was_complete = False

    def _begin(self) -> None:
        self.folder.mkdir(exist_ok=True)
        if os.name == "posix":
            self._held = os.open(self.folder, os.O_RDONLY)
            hold(self._held, self.path)


def _opened(path: Path) -> Any:
    """A file as pyarrow reads it, which takes a name that is no UTF-8 as bytes alone."""
    return arrow().OSFile(os.fsencode(path))


def _rows(path: Path) -> int:
    with _opened(path) as file:
        return int(arrow().parquet.read_metadata(file).num_rows)


def _schema(path: Path) -> Schema:
    with _opened(path) as file:
        return arrow().parquet.read_schema(file)


def _write(path: Path, tables: Sequence[Table] | Iterator[Table], schema: Schema) -> None:
    """Write a whole durable file, or none. The names of nested fields stay, so that types read back are the same."""
    try:
        # Buffered: pyarrow does not look how much of its data a raw file took.
        with naming(path), io.BufferedWriter(io.FileIO(path, "wb")) as file:
            with _writer(file, schema) as writer:
                for table in tables:
                    writer.write_table(table, row_group_size=max(1, table.num_rows))
                    del table  # while the next one is gathered it need not be there
                    arrow().default_memory_pool().release_unused()
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        with suppress(OSError):
            path.unlink()
        raise


def _writer(file: IO[bytes], schema: Schema) -> Any:
    # A dictionary of a vector's numbers would hold every one of them: time and memory for nothing.
    texts = [field.name for field in schema if arrow().types.is_string(field.type)]
    return arrow().parquet.ParquetWriter(file, schema, use_compliant_nested_type=False, use_dictionary=texts)


def _gathered(files: Sequence[Path], schema: Schema) -> Iterator[Table]:
    """The rows of all files, some of them as one row group however small the files are."""
    waiting: list[Table] = []
    rows = size = 0
    for some in _read(files):
        waiting.append(conformed(some, schema))
        rows, size = rows + waiting[-1].num_rows, size + waiting[-1].nbytes
        if rows >= GROUP_ROWS or size >= GROUP_BYTES:
            yield arrow().concat_tables(waiting)
            waiting, rows, size = [], 0, 0
    if waiting:
        yield arrow().concat_tables(waiting)


def _read(files: Sequence[Path]) -> Iterator[Table]:
    """The rows of all files, a few of them at a time."""
    for path in files:
        with _opened(path) as file:
            parquet = arrow().parquet.ParquetFile(file, buffer_size=READ_BUFFER, pre_buffer=False)
            # In this thread: each other one would keep memory of its own for what it once read.
            for batch in parquet.iter_batches(ROWS_AT_ONCE, use_threads=False):
                yield arrow().Table.from_batches([batch])
