"""Validation of many rows at once: their ids and texts as columns, and what is wrong with the other rows."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import attrs

from aiomlcommons.inference.fields import TextFrom, is_template
from aiomlcommons.ingest.rows.batch_size import size_of
from aiomlcommons.ingest.rows.checking import CheckedRow, IdBy, RowChecker
from aiomlcommons.ingest.types import Chunk, ColumnarRows, Row, Rows, TextRow

# What a field or a template raises for a row that lacks a value, or has one that is no text.
MISFITS = (AttributeError, LookupError, TypeError, ValueError)


@attrs.frozen(eq=False)
class CheckedRows:
    """Valid rows as columns; row ``i`` is number ``numbers[i]`` of the source. The others are in ``faulty``.

    ``sizes`` are the bytes of the texts in UTF-8. A later row with a key of ``keys`` is a duplicate, unless its origin
    is the same too: that is the id and the number of a row, or for a chunk those of the row that it was cut from. Else
    a shorter duplicate of a row would lend it the chunks that only the longer one has.
    """

    numbers: Sequence[int]
    ids: list[str]
    rows: Sequence[Row]
    texts: list[str]
    sizes: list[int]
    keys: list[str]
    origins: Sequence[int]
    faulty: list[CheckedRow] = attrs.field(factory=list)

    def __len__(self) -> int:
        return len(self.ids)

    def without(self, indices: Collection[int]) -> CheckedRows:
        """Return the valid rows without some of them."""
        if not indices:
            return self
        left_out = set(indices)
        kept = [i for i in range(len(self)) if i not in left_out]
        columns = (self.numbers, self.ids, self.rows, self.texts, self.sizes, self.keys, self.origins)
        return CheckedRows(*([column[i] for i in kept] for column in columns))  # type: ignore[arg-type]


def check_rows(check: RowChecker, rows: Rows, numbers: Sequence[int]) -> CheckedRows:
    """Return those of the rows that have these numbers, with what ``check`` finds of each."""
    if len(numbers) < len(rows.rows):
        rows = attrs.evolve(rows, rows=_chosen(rows, numbers))
    return _by_columns(check, rows, numbers) or _one_by_one(check, rows, numbers)


def _chosen(rows: Rows, numbers: Sequence[int]) -> Sequence[Any]:
    if isinstance(numbers, range):
        return rows.rows[numbers.start - rows.start : numbers.stop - rows.start]
    return [rows.rows[number - rows.start] for number in numbers]


def _by_columns(check: RowChecker, rows: Rows, numbers: Sequence[int]) -> CheckedRows | None:
    """Return the rows if all are of the usual kind and none is faulty; functions of the caller are not called."""
    texts = _texts(check, rows)
    sizes = None if texts is None else _sizes(texts, check.max_chars)
    ids = None if sizes is None else _ids(check, rows, numbers)
    if texts is None or sizes is None or ids is None:
        return None
    documents: Any = rows.rows if isinstance(rows.rows, list | ColumnarRows) else list(rows.rows)
    return CheckedRows(numbers, ids, documents, texts, sizes, ids, numbers)


def _texts(check: RowChecker, rows: Rows) -> list[Any] | None:
    """Return what the rows have as texts, or None if a row is of an unusual kind, or has none."""
    if not isinstance(check.text_of, TextFrom):
        return None
    if not is_template(check.text_of.spec):
        return rows.column(check.text_of.spec)
    try:
        return list(map(check.text_of, rows.rows)) if rows.are_plain else None  # type: ignore[arg-type]
    except MISFITS:
        return None


def _sizes(texts: list[Any], max_chars: int | None) -> list[int] | None:
    """Return the sizes of texts in bytes, or None unless all are valid texts."""
    if set(map(type, texts)) != {str} or not all(texts) or any(map(str.isspace, texts)):
        return None
    lengths = list(map(len, texts))
    if max_chars is not None and max(lengths) > max_chars:
        return None
    if all(map(str.isascii, texts)):
        return lengths
    try:
        return list(map(len, map(str.encode, texts)))
    except UnicodeEncodeError:
        return None


def _ids(check: RowChecker, rows: Rows, numbers: Sequence[int]) -> list[str] | None:
    """Return the ids of the rows, or None unless all have a text or a whole number of Python as their id."""
    if not isinstance(check.id_of, IdBy):
        return None
    bare = not isinstance(rows.rows, ColumnarRows) and isinstance(rows.rows[0], TextRow)
    if bare or check.id_of.name is None:
        return list(map(str, numbers))
    found = rows.column(check.id_of.name)
    if found is None or not set(map(type, found)) <= {str, int}:
        return None
    try:
        ids = list(map(str, found))
        return ids if all(ids) and "".join(ids).encode() else None
    except ValueError:  # a lone surrogate, or a number of more digits than Python shows
        return None


def _one_by_one(check: RowChecker, rows: Rows, numbers: Sequence[int]) -> CheckedRows:
    checked = [check(number, row) for number, row in zip(numbers, rows.rows, strict=True)]
    valid = [one for one in checked if not one.why]
    texts = [one.text for one in valid]
    keys, origins = [one.id for one in valid], [one.number for one in valid]
    for i, one in enumerate(valid):
        if isinstance(one.row, Chunk):
            keys[i], origins[i] = one.row.parent, one.number - one.row.number
    return CheckedRows(
        [one.number for one in valid],
        [one.id for one in valid],
        [one.row for one in valid],  # type: ignore[misc]  # a BadRow is faulty
        texts,
        list(map(size_of, texts)),
        keys,
        origins,
        [one for one in checked if one.why],
    )
