"""The schema of all rows of a file, which grows with them: inferred from Python values, or taken from Arrow data."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import groupby
from operator import itemgetter
from typing import Any, TypeAlias

import attrs

from aiomlcommons.ingest.arrow_rows import ArrowRow, ArrowRows
from aiomlcommons.ingest.sinks._arrow_types import Ranges, check_kept, joined, ranges_of
from aiomlcommons.ingest.sinks._arrow_values import array_of
from aiomlcommons.ingest.sinks.arrow_tables import Array, Misfit, Schema, Table, arrow, conformed
from aiomlcommons.ingest.types import ColumnarRows, Row

Field: TypeAlias = Any


@attrs.frozen
class RowSchema:
    """The schema of the rows so far, and the ``ranges`` of their whole numbers and times, by which it may still grow.

    A row that was admitted once is admitted by any later schema too, and changes it no more.
    """

    schema: Schema | None = None
    ranges: Ranges = attrs.field(factory=dict)

    def admit(self, rows: Sequence[Row], vector: str, first: int = 0) -> tuple[RowSchema, list[Table], dict[int, str]]:
        """Return the schema that holds these rows too, the tables of them, and why others do not fit, by index.

        The column ``vector`` is null, whatever the rows have there. A table has the schema of its moment, which may be
        narrower. No rows change nothing, as when all of a batch were refused.
        """
        if not len(rows):
            return self, [], {}
        try:
            wider, table = self._with(_table_of(rows, vector))
        except Misfit as error:
            if len(rows) == 1:
                return self, [], {first: str(error)}
            middle = len(rows) // 2
            wider, tables, reasons = self.admit(rows[:middle], vector, first)
            last, more, others = wider.admit(rows[middle:], vector, first + middle)
            return last, tables + more, reasons | others
        return wider, [table], {}

    def tables(self, rows: Sequence[Row], vector: str) -> list[Table] | None:
        """Return the tables of rows that were admitted before, without a second look at their types.

        It is None if that takes the look after all.
        """
        if isinstance(rows, ArrowRows):
            return list(_tables(rows, vector))
        pa = arrow()
        if self.schema is None or (not isinstance(rows, ColumnarRows) and ArrowRow in set(map(type, rows))):
            return None
        try:
            columns = [_column(field, rows, vector) for field in self.schema]
        except (pa.ArrowException, OverflowError, ValueError, TypeError):
            return None
        return [pa.Table.from_arrays(columns, schema=self.schema)]

    def _with(self, table: Table) -> tuple[RowSchema, Table]:
        """Return the schema that holds a table too, and the table cast to it. Raises Misfit."""
        ranges = ranges_of(table, self.ranges)
        schema = table.schema if self.schema is None else _grown(self.schema, table.schema, ranges)
        if schema is not self.schema:
            schema = _stored(schema, self.schema)
            for field in schema:
                check_kept(field, ranges)
        return RowSchema(schema, ranges), conformed(table, schema)


def _grown(known: Schema, new: Schema, ranges: Ranges) -> Schema:
    """Return the schema that holds the rows of both, which is ``known`` itself where that does. Raises Misfit."""
    names = dict.fromkeys([*known.names, *new.names])
    grown = arrow().schema([_field(_of(known, name), _of(new, name), ranges) for name in names], known.metadata)
    return known if grown.equals(known, check_metadata=True) else grown


def _of(schema: Schema, name: str) -> Field | None:
    return schema.field(name) if name in schema.names else None


def _field(known: Field | None, new: Field | None, ranges: Ranges) -> Field:
    """Return the field that holds the values of both; what is missing in one of them may be null."""
    if known is None or new is None:
        return (known or new).with_nullable(True)  # type: ignore[union-attr]
    nullable = known.nullable or new.nullable
    if known.type == new.type:
        return known.with_nullable(nullable)
    return known.with_type(joined(known.name, known.type, new.type, ranges)).with_nullable(nullable)


def _stored(schema: Schema, known: Schema | None) -> Schema:
    """Return a schema with the types that Parquet gives back, such as milliseconds for seconds. Raises Misfit."""
    for i, field in enumerate(schema):
        if known is None or field.name not in known.names or known.field(field.name).type != field.type:
            schema = schema.set(i, field.with_type(_type_in_parquet(field)))
    return schema


def _type_in_parquet(field: Field) -> Any:
    pa, file = arrow(), io.BytesIO()
    try:
        pa.parquet.write_table(pa.schema([field]).empty_table(), file, use_compliant_nested_type=False)
        return pa.parquet.read_schema(io.BytesIO(file.getvalue())).field(0).type
    except (pa.ArrowException, OSError) as error:
        raise Misfit(f"its field {field.name!r} is {field.type}, which Parquet cannot hold: {error}") from None


# ---- rows ------------------------------------------------------------------------------------------------------------


def _table_of(rows: Sequence[Row], vector: str) -> Table:
    """Build a table of rows with a null column ``vector``; a key that a row lacks is null. Raises Misfit."""
    tables = list(_tables(rows, vector))
    if any(not table.schema.equals(tables[0].schema) for table in tables):
        raise Misfit("they are of several schemas, which are to be joined one by one")
    return arrow().concat_tables(tables)


def _tables(rows: Sequence[Row], vector: str) -> Iterator[Table]:
    """Yield slices of the batches that rows of Arrow are in, and the tables of others, in the order of the rows."""
    if isinstance(rows, ArrowRows):
        yield from _whole(rows.batches, vector)
        return
    if isinstance(rows, ColumnarRows):
        yield _inferred(rows, vector)
        return
    begin = 0
    while begin < len(rows):
        first, end = rows[begin], begin + 1
        while end < len(rows) and _continues(first, rows[end], end - begin):
            end += 1
        if isinstance(first, ArrowRow):
            yield _copied(first.batch.slice(first.index, end - begin), vector)
        else:
            yield _inferred(rows[begin:end], vector)
        begin = end


def _continues(first: Row, row: Row, distance: int) -> bool:
    if not isinstance(first, ArrowRow):
        return not isinstance(row, ArrowRow)
    return isinstance(row, ArrowRow) and row.batch is first.batch and row.index == first.index + distance


def _whole(batches: Sequence[Any], vector: str) -> Iterator[Table]:
    """Yield a table of all neighbours that have one schema, in one piece."""
    for _, group in groupby(batches, lambda batch: batch.schema.serialize().to_pybytes()):
        some = list(group)
        copied = _copied(arrow().Table.from_batches(some), vector)
        yield copied if len(some) == 1 else copied.combine_chunks()


def _column(field: Field, rows: Sequence[Row], vector: str) -> Array:
    if field.name == vector:
        return arrow().nulls(len(rows))
    return arrow().array(_values(field.name, rows), field.type)


def _values(name: str, rows: Sequence[Row]) -> list[Any]:
    """Return the values of a key, None where a row lacks it."""
    if isinstance(rows, ColumnarRows) and (values := rows.column(name)) is not None:
        return values
    if set(map(type, rows)) == {dict}:
        with suppress(KeyError):
            return list(map(itemgetter(name), rows))
    return [row.get(name) for row in rows]


def _copied(batch: Any, vector: str) -> Table:
    """Return the columns of a table or a record batch, with nulls as ``vector``."""
    pa = arrow()
    kept = [i for i, name in enumerate(batch.schema.names) if name != vector]
    schema = pa.schema([pa.field(vector, pa.null()), *(batch.schema.field(i) for i in kept)], batch.schema.metadata)
    return pa.Table.from_arrays([pa.nulls(len(batch)), *(batch.column(i) for i in kept)], schema=schema)


def _inferred(rows: Sequence[Row], vector: str) -> Table:
    # Nearly all rows have the same keys.
    names = dict.fromkeys(key for keys in dict.fromkeys(map(tuple, rows)) for key in keys if key != vector)
    if wrong := [name for name in names if not isinstance(name, str)]:
        raise Misfit(f"it has the key {wrong[0]!r}, and columns have only text as names")
    columns = {name: array_of(name, _values(name, rows)) for name in names}
    return arrow().table({vector: arrow().nulls(len(rows)), **columns})
