"""The numbered part files of an incomplete Parquet file. All of it blocks: call it in a thread."""

from __future__ import annotations

import io
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from os import PathLike
from pathlib import Path
from typing import IO, Any

from aiomlcommons.ingest.durable import REMEDY, lock, sync_folder
from aiomlcommons.ingest.errors import SinkError
from aiomlcommons.ingest.paths import naming
from aiomlcommons.ingest.sinks.arrow_tables import Schema, Table, arrow, conformed

ENDING = ".parquet"
LOCK = "lock"
# The names of the files that a job writes into its folder.
OWN = re.compile(rf"\d{{8}}\.(parquet|part)|{LOCK}")
# Readers skip whole row groups, so a file should have neither thousands of them nor huge ones. A row group is held in
# memory while it is written.
GROUP_ROWS = 1 << 16
GROUP_BYTES = 1 << 24
# The Parquet reader needs several times the size of what it decodes at once.
ROWS_AT_ONCE = 512
READ_BUFFER = 1 << 16


class Folder:
    """The folder ``NAME.parts/`` of ``00000000.parquet`` and so on; each file appears by fsync and atomic rename."""

    def __init__(self, path: str | PathLike[str]) -> None:
        self.path = Path(path)
        self.folder = self.path.with_name(self.path.name + ".parts")
        self._joined = self.path.with_name(self.path.name + ".part")
        self._done = self.path.with_name(self.path.name + ".parts.old")
        self._count = 0
        self._was_complete = False
        self._locked: int | None = None

    def open(self, rows: int | None) -> Schema | None:
        """Start anew, or keep just the first ``rows`` rows; return the schema of the last ones, or None without rows.

        Raises SinkError if the rows do not exist any more, or a file is in the folder that no job wrote; OSError.
        """
        for folder in (self.folder, self._done):
            _check_own(folder)
        shutil.rmtree(self._done, ignore_errors=True)
        kept = self._kept(rows) if rows else []
        # A finished job is resumed: its file stays as it is unless there is more to write.
        self._was_complete = kept == [self.path]
        self._count = len(kept)
        if not self._was_complete:
            self._begin()
            for stale in set(self.folder.iterdir()) - {*kept, self.folder / LOCK}:
                stale.unlink()
        return _schema(kept[-1]) if kept else None

    def add(self, table: Table) -> None:
        """Write a table as the next part file. Raises OSError, naming the file."""
        self._reopen()
        path = self._numbered(self._count)
        _write(path.with_suffix(".part"), [table], table.schema)
        path.with_suffix(".part").replace(path)
        sync_folder(self.folder)
        self._count += 1

    def complete(self, schema: Schema) -> None:
        """Join the part files into the final file of this schema, one row group at a time.

        Raises OSError, naming the file; the part files stay then.
        """
        if self._was_complete:
            return
        files = [self._numbered(i) for i in range(self._count)]
        _write(self._joined, _row_groups(files, schema), schema)
        self._joined.replace(self.path)
        sync_folder(self.path.parent)
        # Atomic rename before removing: a folder that lacks some of its files could not be resumed from.
        if os.name == "nt":
            self.close()  # which renames no folder with an open file
        self.folder.replace(self._done)
        shutil.rmtree(self._done)

    def close(self) -> None:
        """Release the lock, and remove the folder if it holds no rows."""
        descriptor, self._locked = self._locked, None
        if descriptor is not None:
            if not self._count:
                # While it is locked, which Windows does not let go of: there an empty folder stays.
                shutil.rmtree(self.folder, ignore_errors=True)
            os.close(descriptor)

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

    def _reopen(self) -> None:
        if self._was_complete:
            shutil.rmtree(self.folder, ignore_errors=True)
            self._begin()
            self.path.replace(self._numbered(0))
            self._was_complete = False

    def _begin(self) -> None:
        self.folder.mkdir(exist_ok=True)
        # In a file, for Windows cannot lock a folder.
        descriptor = os.open(self.folder / LOCK, os.O_RDWR | os.O_CREAT)
        try:
            lock(descriptor, self.path)
        except BaseException:
            os.close(descriptor)
            raise
        self._locked = descriptor


def _check_own(folder: Path) -> None:
    """Raise SinkError if there is a file in a folder that no job wrote, and which must not be removed."""
    for path in folder.iterdir() if folder.exists() else ():
        if not OWN.fullmatch(path.name):
            raise SinkError(f"{path} is not of a job, and the files of {folder} would be removed: name another output")


def _opened(path: Path) -> Any:
    """Open a file for pyarrow, which takes a name that is not UTF-8 only as bytes."""
    return arrow().OSFile(os.fsencode(path))


def _rows(path: Path) -> int:
    with _opened(path) as file:
        return int(arrow().parquet.read_metadata(file).num_rows)


def _schema(path: Path) -> Schema:
    with _opened(path) as file:
        return arrow().parquet.read_schema(file)


def names_in(path: Path) -> list[str] | None:
    """Return the names of the columns of a file, or None if it is no Parquet file. Raises OSError."""
    try:
        return list(_schema(path).names)
    except arrow().ArrowInvalid:
        return None


def _write(path: Path, tables: Sequence[Table] | Iterator[Table], schema: Schema) -> None:
    """Write a durable file, or remove it on an error."""
    try:
        # Buffered, because pyarrow ignores short writes of a raw file.
        with naming(path), io.BufferedWriter(io.FileIO(path, "wb")) as file:
            with _writer(file, schema) as writer:
                for table in tables:
                    writer.write_table(table, row_group_size=max(1, table.num_rows))
                    del table  # frees its memory before the next one is built
                    arrow().default_memory_pool().release_unused()
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        with suppress(OSError):
            path.unlink()
        raise


def _writer(file: IO[bytes], schema: Schema) -> Any:
    # No dictionary for vectors, whose numbers are nearly all distinct. Without compliant names the types of nested
    # fields are the same when they are read back.
    texts = [field.name for field in schema if arrow().types.is_string(field.type)]
    return arrow().parquet.ParquetWriter(file, schema, use_compliant_nested_type=False, use_dictionary=texts)


def _row_groups(files: Sequence[Path], schema: Schema) -> Iterator[Table]:
    """Yield the rows of all files, in tables of the size of a row group, however small the files are."""
    waiting: list[Table] = []
    rows = size = 0
    for table in _read(files):
        waiting.append(conformed(table, schema))
        rows, size = rows + waiting[-1].num_rows, size + waiting[-1].nbytes
        if rows >= GROUP_ROWS or size >= GROUP_BYTES:
            yield arrow().concat_tables(waiting)
            waiting, rows, size = [], 0, 0
    if waiting:
        yield arrow().concat_tables(waiting)


def _read(files: Sequence[Path]) -> Iterator[Table]:
    """Yield the rows of all files in small tables."""
    for path in files:
        with _opened(path) as file:
            parquet = arrow().parquet.ParquetFile(file, buffer_size=READ_BUFFER, pre_buffer=False)
            # Without threads, each of which would keep a memory pool of its own.
            for batch in parquet.iter_batches(ROWS_AT_ONCE, use_threads=False):
                yield arrow().Table.from_batches([batch])
