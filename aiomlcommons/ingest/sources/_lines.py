"""Splitting of bytes that come in pieces into lines, in any encoding."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import numpy as np

from aiomlcommons.ingest.sources._encoding import Encoding
from aiomlcommons.ingest.sources.reading import checked_length

# What a line feed of UTF-16 beside a Latin letter is one byte off, as after a lost byte: no text has this code point.
_SHIFTED = 0x0A00


@attrs.frozen
class Lines:
    """Whole lines, of which only the last one of a file may lack its newline.

    ``data`` are their bytes, ``count`` is their number, and ``newline`` what ends them in bytes. In an encoding of one
    byte for a newline they are split when that is asked for.
    """

    data: bytes
    newline: bytes
    count: int
    _lines: Sequence[bytes] | None = None

    def split(self) -> Sequence[bytes]:
        """Return the lines one by one, each with its newline at the end."""
        if self._lines is not None:
            return self._lines
        *lines, last = self.data.split(self.newline)
        return [*(line + self.newline for line in lines), *([last] if last else [])]


class LineSplitter:
    """An incremental splitter of bytes into lines, each with its newline at the end.

    A byte that is lost in UTF-16 spoils few lines, and not all lines after it.
    """

    def __init__(self, name: str, encoding: Encoding, newline: str = "\n") -> None:
        self._name, self._code = name, ord(newline)
        self._newline = newline.encode(encoding.name)
        self._big_endian = encoding.name.endswith("-be")
        # Parts of a line without an end are joined once, so that a long line costs no more than many short ones.
        self._rest: list[bytes] = []
        self._before = b""

    def feed(self, data: bytes) -> Lines:
        """Return the lines that end in ``data``; empty data is the end of the file.

        Raises SourceError, naming the file, for a line so long that the file is likely not one of lines.
        """
        if self._width == 1:
            return self._whole(data, data.rfind(self._newline) + 1)
        seen = self._before + data
        # All but the last byte of a newline may have come before.
        self._before = seen[max(0, len(seen) - self._width + 1) :]
        if data and self._newline not in seen:
            return self._whole(data, 0)
        content, self._rest = b"".join([*self._rest, data]), []
        *lines, last = self._split(content)
        if data:
            self._keep(last)
        elif last:
            lines.append(last)
        return Lines(b"".join(lines), self._newline, len(lines), lines)

    def _whole(self, data: bytes, end: int) -> Lines:
        """Return the lines of the rest, and of the data up to ``end`` or the end of the file."""
        if data and not end:
            self._keep(data)
            return Lines(b"", self._newline, 0)
        content, self._rest = b"".join([*self._rest, data[:end]]), []
        self._keep(data[end:])
        torn = not content.endswith(self._newline) if content else False
        return Lines(content, self._newline, content.count(self._newline) + torn)

    @property
    def _width(self) -> int:
        return len(self._newline)

    def _keep(self, data: bytes) -> None:
        self._rest += [data] if data else []
        checked_length(sum(map(len, self._rest)), self._name)

    def _split(self, content: bytes) -> list[bytes]:
        """Return the lines of the content, and what follows the last newline."""
        ends: list[int] = []
        while (more := self._ends(content, ends[-1] if ends else 0)).size:
            ends += more.tolist()
        return [content[begin:end] for begin, end in zip([0, *ends], [*ends, len(content)], strict=True)]

    def _ends(self, content: bytes, begin: int) -> np.ndarray:
        """Return where lines end after ``begin``, up to the first that ends between two code units."""
        kind = f"{'>' if self._big_endian else '<'}u{self._width}"
        units = np.frombuffer(content, kind, (len(content) - begin) // self._width, begin)
        shifted = np.flatnonzero(units == _SHIFTED)[:1] if self._width == 2 else units[:0]
        ends = np.flatnonzero(units[: shifted[0] if shifted.size else None] == self._code) + 1
        # Its second byte is the first of the newline, or the other way round.
        off = begin + 2 * shifted + (1 if self._big_endian else 3)
        return np.concatenate([begin + self._width * ends, off[off <= len(content)]])
