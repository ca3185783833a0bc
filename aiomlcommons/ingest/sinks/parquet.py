"""Parquet, which cannot be appended to: written as numbered part files that are joined at the end."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from os import PathLike
from typing import Any

from aiomlcommons.ingest.errors import SinkError
from aiomlcommons.ingest.sinks._parquet_parts import Folder, names_in
from aiomlcommons.ingest.sinks.arrow_tables import (
    Misfit,
    Schema,
    Table,
    arrow,
    conformed,
    fitting,
    table_of,
    unified,
    vectors_of,
)
from aiomlcommons.ingest.sinks.file_sink import BlockingSink
from aiomlcommons.ingest.types import Documents, Refused


class ParquetSink(BlockingSink):
    """A Parquet file of the rows and their vectors, as ``field`` (default ``embedding``).

    Dense vectors are ``FixedSizeList<float32>`` (or of the model's own dtype), sparse ones ``map<string, float>``.
    Until it is complete, ``NAME.parts/`` holds the rows; about ``held`` bytes (default 16 MB) are buffered in memory.
    A row whose types do not fit those of earlier rows is refused, as is a vector of another dimension.
    Needs pyarrow: ``pip install aiomlcommons[arrow]``.
    """

    def __init__(self, path: str | PathLike[str], *, field: str = "embedding", held: int = 1 << 24) -> None:
        super().__init__(path)
        self._folder, self.field, self._held = Folder(path), field, held
        self._tables: list[Table] = []
        self._schema: Schema | None = None
        self._rows = self._bytes = 0
        self._is_open = False

    def is_output(self) -> bool:
        """Return whether the file is empty, or has the column of vectors."""
        names = names_in(self.path)
        return names is not None and (not names or self.field in names)

    def _open(self, state: Any) -> None:
        arrow()  # raises ImportError early
        self._rows = 0 if state is None else state["rows"]
        self._schema = self._folder.open(None if state is None else self._rows)
        self._clear()
        self._is_open = True

    def _write(self, batch: Documents) -> Sequence[Refused]:
        self._check_open()
        vectors = vectors_of(batch.vectors)
        if why := self._type_conflict(vectors.type):
            return [Refused(i, why) for i in range(len(batch))]
        known = self._schema or arrow().schema([(self.field, vectors.type)])
        reasons: dict[int, str] = {}
        try:
            table = table_of(batch.rows, self.field, vectors)
            tables, schema = [table], unified(known, table.schema)
        except Misfit:
            tables, schema, reasons = fitting(batch.rows, self.field, vectors, known)
        self._buffer(tables, schema)
        return [Refused(i, why) for i, why in reasons.items()]

    def _buffer(self, tables: Sequence[Table], schema: Schema) -> None:
        self._tables += tables
        self._schema = schema
        self._rows += sum(table.num_rows for table in tables)
        self._bytes += sum(table.nbytes for table in tables)
        if self._bytes >= self._held:
            self._write_out()

    def _type_conflict(self, kind: Any) -> str:
        known = kind if self._schema is None else self._schema.field(self.field).type
        return "" if known == kind else f"its vector is {kind}, and those before are {known}"

    def _write_out(self) -> None:
        if self._schema is not None and any(table.num_rows for table in self._tables):
            self._folder.add(arrow().concat_tables([conformed(table, self._schema) for table in self._tables]))
        self._clear()

    def _clear(self) -> None:
        self._tables, self._bytes = [], 0

    def _flush(self) -> Any:
        self._check_open()
        self._write_out()
        return {"rows": self._rows}

    def _close(self, *, complete: bool) -> None:
        with closing(self._folder):
            if complete and self._is_open:
                self._write_out()
                self._folder.complete(arrow().schema([]))
            self._is_open = False
            self._clear()

    def _check_open(self) -> None:
        if not self._is_open:
            raise SinkError(f"{self.name} is not open")
