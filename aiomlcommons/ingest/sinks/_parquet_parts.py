"""The numbered part files of an incomplete Parquet file. All of it blocks: call it in a thread.

They are streams of Arrow, which are written and read as fast as memory is copied: only the rows of the final file are
encoded, once, in row groups of a useful size.
"""

from __future__ import annotations

import io
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import chain
from os import PathLike
from pathlib import Path

from aiomlcommons.ingest.durable import REMEDY, lock, sync_folder
from aiomlcommons.ingest.errors import SinkError
from aiomlcommons.ingest.paths import naming
from aiomlcommons.ingest.sinks._arrow_files import STREAM, Format, parquet, rows_in, schema_of, stream, tables_in
from aiomlcommons.ingest.sinks.arrow_tables import Schema, Table, arrow, conformed

# A part is a stream, unless it is the result of a finished job that goes on, or of an earlier version.
PARQUET = ".parquet"
LOCK = "lock"
# The names of the files that a job writes into its folder.
OWN = re.compile(rf"\d{{8}}\.(arrow|parquet|part)|{LOCK}")
# Readers skip whole row groups, so a file should have neither thousands of them nor huge ones. A row group is held in
# memory while it is written.
GROUP_ROWS = 1 << 16
GROUP_BYTES = 1 << 24


class Folder:
    """The folder ``NAME.parts/`` of ``00000000.arrow`` and so on; each file appears by fsync and atomic rename.

    ``vectors`` is the name of the column that holds them.
    """

    def __init__(self, path: str | PathLike[str], vectors: str) -> None:
        self.path, self._vectors = Path(path), vectors
        self.folder = self.path.with_name(self.path.name + ".parts")
        self._joined = self.path.with_name(self.path.name + ".part")
        self._done = self.path.with_name(self.path.name + ".parts.old")
        self._parts: list[Path] = []
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
        self._parts = kept
        if not self._was_complete:
            self._begin()
            for stale in set(self.folder.iterdir()) - {*kept, self.folder / LOCK}:
                stale.unlink()
        return schema_of(kept[-1]) if kept else None

    def add(self, table: Table) -> None:
        """Write a table as the next part file. Raises OSError, naming the file."""
        self._reopen()
        path = self._numbered(len(self._parts))
        _write(path.with_suffix(".part"), [table], table.schema, stream)
        path.with_suffix(".part").replace(path)
        sync_folder(self.folder)
        self._parts.append(path)

    def complete(self, schema: Schema) -> None:
        """Join the part files into the final file of this schema, one row group at a time.

        Raises OSError, naming the file; the part files stay then.
        """
        if self._was_complete:
            return
        _write(self._joined, _row_groups(self._parts, schema), schema, partial(parquet, vectors=self._vectors))
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
            if not self._parts:
                # While it is locked, which Windows does not let go of: there an empty folder stays.
                shutil.rmtree(self.folder, ignore_errors=True)
            os.close(descriptor)

    def _numbered(self, number: int, ending: str = STREAM) -> Path:
        return self.folder / f"{number:08}{ending}"

    def _kept(self, rows: int) -> list[Path]:
        kept: list[Path] = []
        found = 0
        while found < rows and (path := self._existing(len(kept))) is not None:
            kept.append(path)
            found += rows_in(path)
        if found == rows:
            return kept
        if self.path.exists() and rows_in(self.path) == rows:
            return [self.path]
        raise SinkError(f"{self.folder} does not hold the {rows:,} rows that were written before: {REMEDY}")

    def _existing(self, number: int) -> Path | None:
        paths = (self._numbered(number, ending) for ending in (STREAM, PARQUET))
        return next((path for path in paths if path.exists()), None)

    def _reopen(self) -> None:
        if self._was_complete:
            shutil.rmtree(self.folder, ignore_errors=True)
            self._begin()
            self._parts = [self.path.replace(self._numbered(0, PARQUET))]
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


def _write(path: Path, tables: Sequence[Table] | Iterator[Table], schema: Schema, written_by: Format) -> None:
    """Write a durable file, or remove it on an error."""
    try:
        # Buffered, because pyarrow ignores short writes of a raw file.
        with naming(path), io.BufferedWriter(io.FileIO(path, "wb")) as file:
            with written_by(file, schema) as write:
                for table in tables:
                    write(table)
                    del table  # frees its memory before the next one is built
                    arrow().default_memory_pool().release_unused()
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        with suppress(OSError):
            path.unlink()
        raise


def _row_groups(files: Sequence[Path], schema: Schema) -> Iterator[Table]:
    """Yield the rows of all files, in tables of the size of a row group, however small the files are."""
    waiting: list[Table] = []
    rows = size = 0
    for table in chain.from_iterable(map(tables_in, files)):
        waiting.append(conformed(table, schema))
        rows, size = rows + waiting[-1].num_rows, size + waiting[-1].nbytes
        if rows >= GROUP_ROWS or size >= GROUP_BYTES:
            yield arrow().concat_tables(waiting)
            waiting, rows, size = [], 0, 0
    if waiting:
        yield arrow().concat_tables(waiting)
