"""Parquet, which cannot be appended to: written as numbered part files that are joined at the end."""

from __future__ import annotations

import threading
from base64 import b64decode, b64encode
from collections.abc import Sequence
from contextlib import closing
from os import PathLike
from typing import Any

from aiomlcommons.ingest.errors import SinkError
from aiomlcommons.ingest.sinks._arrow_files import names_in
from aiomlcommons.ingest.sinks._parquet_parts import Folder
from aiomlcommons.ingest.sinks._row_schema import RowSchema
from aiomlcommons.ingest.sinks._waiting import Waiting, kind_of_vectors
from aiomlcommons.ingest.sinks.arrow_tables import DataType, Schema, Table, arrow, conformed, vectors_of
from aiomlcommons.ingest.sinks.file_sink import EARLIER, BlockingSink
from aiomlcommons.ingest.types import SHOWN, Documents, Refused, Row
from aiomlcommons.typed import typed


class ParquetSink(BlockingSink):
    """A Parquet file of the rows and their vectors, as ``field`` (default ``embedding``).

    Dense vectors are ``FixedSizeList<float32>`` (or of the model's own dtype), sparse ones ``map<string, float>``; they
    replace a column of that name. Rows of Arrow data keep their types, the types of others are inferred. Until it is
    complete, ``NAME.parts/`` holds the rows; about ``held`` bytes (default 16 MB) are buffered in memory. A row whose
    types do not fit those of earlier rows is refused, as is a vector of another dimension. Needs the extra ``arrow``.

    Batches of a job, which screens its rows, wait until there are enough of them for a thread: ``write`` only keeps
    them then.
    """

    takes_columns = True

    @typed
    def __init__(self, path: str | PathLike[str], *, field: str = "embedding", held: int = 1 << 24) -> None:
        super().__init__(path)
        self._folder, self.field, self._held = Folder(path, field), field, held
        self._tables: list[Table] = []
        self._known = RowSchema()
        self._vectors: DataType | None = None
        self._kind: tuple[Any, ...] | None = None
        self._waiting = Waiting(held // 4)
        self._screening = threading.Lock()
        self._screens = False
        self._rows = self._bytes = 0
        self._is_open = False

    def is_output(self) -> bool:
        """Return whether the file is empty, or has the column of vectors."""
        names = names_in(self.path)
        return names is not None and (not names or self.field in names)

    def screen(self, _: Sequence[str], rows: Sequence[Row], /) -> Sequence[Refused]:
        """Return the documents whose row fits neither Parquet nor the types of the rows before it."""
        _, refused = self._admit(rows)
        self._screens = True
        return [Refused(i, why) for i, why in refused.items()]

    def _admit(self, rows: Sequence[Row]) -> tuple[list[Table], dict[int, str]]:
        with self._screening:
            self._known, tables, refused = self._known.admit(rows, self.field)
        return tables, refused

    def _take(self, batch: Documents) -> Sequence[Refused] | None:
        fits = self._is_open and self._screens and self._kind == kind_of_vectors(batch.vectors)
        if not fits or not self._waiting.has_room(batch):
            return None
        self._waiting.add(batch)
        return ()

    def _open(self, state: Any) -> None:
        arrow()  # raises ImportError early
        self._rows = 0 if state is None else state["rows"]
        written = self._folder.open(None if state is None else self._rows)
        self._vectors = None if written is None else written.field(self.field).type
        self._known = RowSchema() if state is None else _loaded(state, self.name)
        self._kind = None
        self._clear()
        self._is_open, self._screens = True, False

    def _write(self, batch: Documents) -> Sequence[Refused]:
        self._check_open()
        vectors = vectors_of(batch.vectors)
        if self._vectors not in {None, vectors.type}:
            why = f"its vector is {vectors.type}, and those before are {self._vectors}"
            return [Refused(i, why) for i in range(len(batch))]
        self._vectors, self._kind = vectors.type, kind_of_vectors(batch.vectors)
        if self._screens:
            self._waiting.add(batch)
            self._settle()
            self._write_out_if_full()
            return ()
        tables, refused = self._admit(batch.rows)
        if refused:
            vectors = vectors.take(arrow().array([i for i in range(len(batch)) if i not in refused], "int64"))
        self._buffer(tables, vectors)
        self._write_out_if_full()
        return [Refused(i, why) for i, why in refused.items()]

    def _settle(self) -> None:
        """Make tables of the batches that wait."""
        made = [(self._tables_of(rows), vectors) for rows, vectors in self._waiting.together()]
        # All are buffered before any of them is written out: if that fails, it can be repeated.
        self._waiting.clear()
        for tables, vectors in made:
            self._buffer(tables, vectors)

    def _tables_of(self, rows: Sequence[Row]) -> list[Table]:
        """Return the tables of rows that were admitted when they were screened."""
        if (tables := self._known.tables(rows, self.field)) is not None:
            return tables
        tables, refused = self._admit(rows)
        for i, why in refused.items():
            raise SinkError(f"{self.name} has a row that changed after it was screened: {why}: {repr(rows[i])[:SHOWN]}")
        return tables

    def _buffer(self, tables: Sequence[Table], vectors: Any) -> None:
        for table in tables:
            column, vectors = vectors[: table.num_rows], vectors[table.num_rows :]
            self._tables.append(table.set_column(0, self.field, column))
            self._rows += table.num_rows
            self._bytes += self._tables[-1].nbytes

    @property
    def _schema(self) -> Schema:
        """The schema of the file so far: the columns of the rows, then the vectors."""
        known = self._known.schema
        vectors = [] if self._vectors is None else [arrow().field(self.field, self._vectors)]
        rows = [] if known is None else [field for field in known if field.name != self.field]
        return arrow().schema([*rows, *vectors], None if known is None else known.metadata)

    def _write_out_if_full(self) -> None:
        if self._bytes >= self._held:
            self._write_out()

    def _write_out(self) -> None:
        if any(table.num_rows for table in self._tables):
            schema = self._schema
            self._folder.add(arrow().concat_tables([conformed(table, schema) for table in self._tables]))
        self._tables, self._bytes = [], 0

    def _clear(self) -> None:
        self._waiting.clear()
        self._tables, self._bytes = [], 0

    def _flush(self) -> Any:
        self._check_open()
        self._settle()
        self._write_out()
        return {"rows": self._rows, **_saved(self._known)}

    def _close(self, *, complete: bool) -> None:
        with closing(self._folder):
            if complete and self._is_open:
                self._settle()
                self._write_out()
                self._folder.complete(self._schema)
            self._is_open = False
            self._clear()

    def _check_open(self) -> None:
        if not self._is_open:
            raise SinkError(f"{self.name} is not open")


def _saved(known: RowSchema) -> dict[str, Any]:
    """Return a schema as JSON; the ranges as text, because they may have more than 64 bits."""
    schema = None if known.schema is None else b64encode(known.schema.serialize()).decode()
    return {"schema": schema, "ranges": {path: [str(low), str(high)] for path, (low, high) in known.ranges.items()}}


def _loaded(state: Any, name: str) -> RowSchema:
    if "schema" not in state:
        raise SinkError(f"{name} {EARLIER}")
    schema = None if state["schema"] is None else arrow().ipc.read_schema(arrow().py_buffer(b64decode(state["schema"])))
    return RowSchema(schema, {path: (int(low), int(high)) for path, (low, high) in state["ranges"].items()})
