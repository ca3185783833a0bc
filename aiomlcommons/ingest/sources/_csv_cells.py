"""The cells of a CSV record, which a quoted cell may carry over several lines."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cached_property
from typing import Literal

import attrs

Quoting = Literal["minimal", "none"]
# A line of a quoted cell, up to the closing quote if there is one.
_TO_QUOTE = re.compile(r'((?:[^"]++|"")*+)("?)')


@attrs.frozen(slots=False)
class Dialect:
    """How the lines of a CSV file are divided: the ``delimiter``, and whether quotes enclose cells or are text.

    A quote encloses a cell only at its beginning; within it, two quotes stand for one.
    """

    delimiter: str
    quoted: bool

    @cached_property
    def _cell(self) -> re.Pattern[str]:
        return re.compile(rf'"(?P<quoted>(?:[^"]++|"")*+)(?P<closed>"?)|(?P<plain>[^{re.escape(self.delimiter)}]*+)')

    def cells(self, line: str, more: Callable[[], str | None]) -> list[str]:
        """Return the cells of the record that begins with ``line``; ``more`` returns the next line while there is one.

        Raises ValueError, which says why, if a quote is not closed, or not at the end of a cell.
        """
        if not self.quoted or '"' not in line:
            return line.rstrip("\r\n").split(self.delimiter)
        return self._quoted_cells(line, more)

    def alone(self, line: str) -> list[str]:
        """Return the cells of a line that is a record by itself; none if it is not."""
        try:
            return self.cells(line, lambda: None)
        except ValueError:
            return []

    def _quoted_cells(self, line: str, more: Callable[[], str | None]) -> list[str]:
        text, at, cells = line.rstrip("\r\n"), 0, list[str]()
        while found := self._cell.match(text, at):
            cell, closed, plain = found.group("quoted", "closed", "plain")
            at = found.end()
            if plain is None and not closed:
                cell, line, at = _carried(line[found.start() + 1 :], more)
                text = line.rstrip("\r\n")
            cells.append(cell.replace('""', '"') if plain is None else plain)
            if at >= len(text):
                break
            if text[at] != self.delimiter:
                raise ValueError(f"{self.delimiter!r} expected after a closing quote")
            at += 1
        return cells


def _carried(part: str, more: Callable[[], str | None]) -> tuple[str, str, int]:
    """Return a quoted cell that begins with ``part``, the line in which it ends, and where its quote closes."""
    parts = [part]
    while (line := more()) is not None:
        if found := _TO_QUOTE.match(line):
            parts.append(found[1])
            if found[2]:
                return "".join(parts), line, found.end()
    raise ValueError("a quote is opened and not closed")
