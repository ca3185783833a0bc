"""CSV and TSV files, compressed or not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import attrs

from aiomlcommons.errors import InvalidRequest
from aiomlcommons.ingest.sources._compression import Content
from aiomlcommons.ingest.sources._csv_cells import Quoting
from aiomlcommons.ingest.sources._csv_layout import LayoutFinder
from aiomlcommons.ingest.sources._csv_reader import CsvReader
from aiomlcommons.ingest.sources._encoding import check_encoding
from aiomlcommons.ingest.sources.reading import LinePosition, RecordSource, head_of, seek, source_errors
from aiomlcommons.typed import typed_fields


def _check_delimiter(_: object, __: object, value: str | None) -> None:
    if value is not None and (not isinstance(value, str) or len(value) != 1 or value in '"\r\n\0'):
        raise InvalidRequest(f"delimiter must be one character, and no quote or line end, not {value!r}")


def _check_quoting(_: object, __: object, value: str | None) -> None:
    if value not in (None, "minimal", "none"):
        raise InvalidRequest(f"quoting must be 'minimal' or 'none', not {value!r}")


def _check_header(_: object, __: object, value: bool | Sequence[str]) -> None:
    if isinstance(value, bool):
        return
    is_list = isinstance(value, Sequence) and not isinstance(value, str)
    if not is_list or not value or not all(isinstance(name, str) for name in value):
        raise InvalidRequest(f"header must be True, False, or a list of names, not {value!r}")
    if not all(name.strip() for name in value):
        raise InvalidRequest(f"header has an empty name: {list(value)}")
    if len(set(value)) < len(value):
        raise InvalidRequest(f"header has a name more than once: {list(value)}")


@attrs.frozen(field_transformer=typed_fields)
class CsvSource(RecordSource):
    """A CSV file, decompressed by its suffix; all values are strings.

    Empty lines are not rows. A line ends with a line feed, or with a carriage return if the beginning of the file has
    no line feed; a carriage return elsewhere is text, unless it divides a line into rows of as many cells as the
    header. A quote encloses a cell if the cell begins with it.

    A record with too many or too few cells or not in the encoding of the file is a BadRow with its raw text. So is a
    line in which a quote is opened that is not closed within 16 MiB, or not at the end of a cell: then reading goes on
    with the next line. A header that cannot be read, or has a name more than once, is a SourceError.

    A position is the byte offset after decompression, the number of lines before it, and a checksum of the bytes
    before it.

    Attributes:
        delimiter: What divides cells. None finds it in the header: a semicolon, tab or bar if it has one of these and
            no comma, else a comma; or what a line such as ``sep=;`` before the header says.
        quoting: ``"minimal"`` if quotes may enclose a cell, ``"none"`` if they are text. None means ``"none"`` in a
            file with tabs whose header has no quotes, else ``"minimal"``.
        encoding: The name of the text encoding in Python. None is that of the byte order mark, else UTF-8.
        header: Whether the first line has the names of the columns; False names them ``column_1`` and so on, which
            also name a column without a name. Or the names, for a file without them.
    """

    delimiter: str | None = attrs.field(default=None, validator=_check_delimiter)
    quoting: Quoting | None = attrs.field(default=None, validator=_check_quoting)
    encoding: str | None = attrs.field(default=None, validator=check_encoding)
    header: bool | Sequence[str] = attrs.field(default=True, validator=_check_header)

    def _reader(self, content: Content, position: Any, start: int) -> CsvReader:
        find = LayoutFinder(self.name, self.encoding, self.delimiter, self.quoting, self.header)
        with source_errors(self.name):
            layout = find(head_of(content, self.name))
        place = LinePosition()
        if position is None:
            place.advance(content.read(len(layout.before)), layout.lines)
        else:
            seek(content, self.name, place, position)
        return CsvReader(self.name, content, layout, place, start)
