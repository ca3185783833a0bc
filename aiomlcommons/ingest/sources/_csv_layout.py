"""The layout of a CSV file, found in its first bytes: encoding, line ends, delimiter, quotes, header."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import attrs

from aiomlcommons.ingest.errors import SourceError
from aiomlcommons.ingest.sources._csv_cells import Dialect, Quoting
from aiomlcommons.ingest.sources._encoding import Encoding
from aiomlcommons.ingest.sources._lines import LineSplitter
from aiomlcommons.ingest.sources.reading import HEAD

# What spreadsheets understand, and some write, before the header.
_SEPARATOR = re.compile(r"sep=(.)[\r\n]+")
_ENCLOSED = re.compile(r'"[^"]*"')
# A header that ends with a carriage return in a file whose other lines end with line feeds.
_RETURNED = re.compile(r'[\r\n]*(?:"[^"]*"|[^"\r\n\ufffd])+\r(?=[^\r\n])')


@attrs.frozen
class Layout:
    """The layout of a CSV file: ``before`` are the bytes before its first record, in so many ``lines``."""

    encoding: Encoding
    newline: str
    dialect: Dialect
    columns: Sequence[str]
    before: bytes
    lines: int


@attrs.frozen
class LayoutFinder:
    """What is known of the layout of a CSV file; CsvSource documents each option. Call it with the file's beginning."""

    name: str
    encoding: str | None
    delimiter: str | None
    quoting: Quoting | None
    header: bool | Sequence[str]

    def __call__(self, head: bytes) -> Layout:
        """Find the layout. Raises SourceError for a header that cannot be read, is too long, or has a name twice."""
        encoding = Encoding.of(head, self.encoding)
        newline, mark = encoding.newline(head), head[: encoding.bom]
        lines = _Lines(self.name, encoding, _split(self.name, head, encoding, newline))
        if self.header is True:
            text = lines.first()
            if said := _SEPARATOR.fullmatch(text):
                text = lines.first()
            dialect = self._dialect(text, said[1] if said else None)
            return Layout(encoding, newline, dialect, lines.columns(dialect, text), mark + lines.data, lines.read)
        dialect = self._dialect("")
        if self.header is not False:
            return Layout(encoding, newline, dialect, list(self.header), mark, 0)
        names = [_column(number) for number in range(1, lines.width(dialect) + 1)]
        return Layout(encoding, newline, dialect, names, mark, 0)

    def _dialect(self, header: str, said: str | None = None) -> Dialect:
        delimiter = self.delimiter or said or _sniffed(header)
        # In a file with tabs quotes are text, unless they enclose the names.
        quoting = self.quoting or ("none" if delimiter == "\t" and '"' not in header else "minimal")
        return Dialect(delimiter, quoting == "minimal")


@attrs.define
class _Lines:
    """The lines at the beginning of a file, of which so many are ``read``."""

    name: str
    encoding: Encoding
    lines: Sequence[bytes]
    read: int = 0

    @property
    def data(self) -> bytes:
        """The bytes of the lines that are read."""
        return b"".join(self.lines[: self.read])

    def first(self) -> str:
        """Read up to the first line that is not empty, and return it; an empty string if there is none."""
        while text := self.more():
            if text.strip("\r\n"):
                return text
        return ""

    def more(self) -> str | None:
        """Read the next line; None at the end."""
        if self.read == len(self.lines):
            return None
        self.read += 1
        return self.encoding.shown(self.lines[self.read - 1])

    def width(self, dialect: Dialect) -> int:
        """Return the number of cells of the first record whose quotes are right; 0 if there is none."""
        while text := self.first():
            read = self.read
            try:
                return len(dialect.cells(text, self.more))
            except ValueError:
                self.read = read
        return 0

    def columns(self, dialect: Dialect, text: str) -> list[str]:
        """Return the names in the header that begins with ``text``. Raises SourceError."""
        try:
            names = dialect.cells(text, self.more) if text else []
            self.encoding.decode(self.data)
        except UnicodeDecodeError:
            raise SourceError(f"the header of {self.name} is {self.encoding.misfit}") from None
        except ValueError as error:
            raise SourceError(f"the header of {self.name} cannot be read: {error}") from None
        # pandas writes its index, and spreadsheets write columns, without a name: there may be several.
        names = [name or _column(number) for number, name in enumerate(names, 1)]
        if "\0" in text:
            raise SourceError(f"the header of {self.name} has NUL characters: if it is UTF-16, name the encoding")
        if twice := [name for name, count in Counter(names).items() if count > 1]:
            raise SourceError(f"the header of {self.name} has {', '.join(map(repr, sorted(twice)))} more than once")
        return names


def _column(number: int) -> str:
    return f"column_{number}"


def _split(name: str, head: bytes, encoding: Encoding, newline: str) -> list[bytes]:
    """Return the whole lines after the byte order mark. Raises SourceError if there is none in so many bytes."""
    splitter = LineSplitter(name, encoding, newline)
    lines = list(splitter.feed(body).split()) if (body := head[encoding.bom :]) else []
    if len(head) < HEAD:
        lines += splitter.feed(b"").split()
    elif not lines:
        raise SourceError(f"{name} has no whole line in its first {HEAD:,} bytes: is it a file of lines?")
    if lines and (found := _RETURNED.match(encoding.shown(lines[0]))):
        end = len(found[0].encode(encoding.name))
        lines[:1] = [lines[0][:end], lines[0][end:]]
    return lines


def _sniffed(header: str) -> str:
    """Return the delimiter of a header: a comma, or the one other that it has if it has no comma."""
    text = _ENCLOSED.sub("", header)
    others = [delimiter for delimiter in ";\t|" if delimiter in text]
    return others[0] if len(others) == 1 and "," not in text else ","
