"""The rows of many plain lines of CSV at once, by the csv module of Python."""

from __future__ import annotations

import csv
import io
from typing import Any

from aiomlcommons.ingest.sources._cell_rows import CellRows
from aiomlcommons.ingest.sources._csv_layout import Layout
from aiomlcommons.ingest.sources._lines import Lines


def plain_rows(lines: Lines, layout: Layout) -> tuple[CellRows, int]:
    """Return the rows of the first lines, and the number of these: up to a record that needs a closer look.

    Such is one that has too many or too few cells, that is not in the encoding, in which a quote or a carriage return
    stands elsewhere than usual, or that goes on after the last line.
    """
    if not layout.encoding.is_utf8 or layout.newline != "\n":
        return CellRows(layout.columns, []), 0
    try:
        text = lines.data.decode()
    except UnicodeDecodeError:
        return CellRows(layout.columns, []), 0
    records, is_whole = _records(text, layout)
    known = len(layout.columns)
    if not {*map(len, records)} <= {0, known}:
        first = next(i for i, cells in enumerate(records) if len(cells) not in {0, known})
        records, is_whole = records[:first], False
    count = lines.count if is_whole else len(records) + sum(cell.count("\n") for cells in records for cell in cells)
    if not all(records):
        records = [cells for cells in records if cells]  # an empty line is no row
    return CellRows(layout.columns, records), count


def _records(text: str, layout: Layout) -> tuple[list[list[str]], bool]:
    """Return the cells of the first records, and whether these are all."""
    if (simple := _without_quotes(text, layout)) is not None:
        return simple, True
    quoting: Any = csv.QUOTE_MINIMAL if layout.dialect.quoted else csv.QUOTE_NONE
    # Only line feeds end a line.
    file = io.StringIO(text, newline="\n")
    records: list[list[str]] = []
    try:
        for record in csv.reader(file, delimiter=layout.dialect.delimiter, quoting=quoting, strict=True):
            records.append(record)  # noqa: PERF402 - those before an error are kept
    except csv.Error:
        return records, False
    return records, True


def _without_quotes(text: str, layout: Layout) -> list[list[str]] | None:
    """Return the cells of records without quotes, empty lines and carriage returns of their own, else None."""
    if layout.dialect.quoted and '"' in text:
        return None
    text = text.replace("\r\n", "\n")
    # With the last line feed, for it ends an empty line too: split, that would be a row of one empty cell.
    if "\r" in text or "\n\n" in text or text.startswith("\n") or not text:
        return None
    return [line.split(layout.dialect.delimiter) for line in text.removesuffix("\n").split("\n")]
