"""A terminal's screen: what is left to see of what was written to it."""

from __future__ import annotations

import io
import re

_BEGUN = re.compile(r"\x1b(?:\[[?\d;]*)?\Z")
_PIECE = re.compile(r"\x1b\[([?\d;]*)([A-Za-z])|([\r\n])|([^\x1b\r\n]+)|\x1b")


class Screen:
    """The lines of a terminal of some width after all that was written; knows what rich and this package send.

    ``cursor`` tells whether the cursor is shown. Raises AssertionError for any other escape sequence.
    """

    def __init__(self, width: int = 80) -> None:
        self.width, self.cursor = width, True
        self._rows, self._row, self._column = [""], 0, 0
        self._wrapped: set[int] = set()
        self._rest = ""

    @classmethod
    def of(cls, text: str, width: int = 80) -> Screen:
        """Return the screen after a text."""
        screen = cls(width)
        screen.write(text)
        return screen

    @property
    def lines(self) -> list[str]:
        """The lines, without the empty ones at the end."""
        rows = [row.rstrip() for row in self._rows]
        while rows and not rows[-1]:
            rows.pop()
        return rows

    @property
    def unwrapped(self) -> list[str]:
        """The lines as they were written, before the terminal wrapped them."""
        ends = ["" if number in self._wrapped else "\n" for number in range(len(self._rows))]
        return "".join(row + end for row, end in zip(self._rows, ends, strict=True)).rstrip().splitlines()

    def write(self, text: str) -> None:
        """Write to the terminal; an escape sequence that is not whole waits for the rest of it."""
        text, self._rest = self._rest + text, ""
        if begun := _BEGUN.search(text):
            text, self._rest = text[: begun.start()], begun[0]
        for piece in _PIECE.finditer(text):
            if piece[2]:
                self._control(piece[1], piece[2])
            elif piece[3] == "\r":
                self._column = 0
            elif piece[3] == "\n":
                self._down()
            else:
                assert piece[4], f"an escape sequence that is none: {text[piece.start() : piece.start() + 20]!r}"
                for char in piece[4]:
                    self._put(char)

    def _put(self, char: str) -> None:
        if self._column == self.width:
            self._wrapped.add(self._row)
            self._down()
        row = self._rows[self._row].ljust(self._column)
        self._rows[self._row] = row[: self._column] + char + row[self._column + 1 :]
        self._column += 1

    def _down(self) -> None:
        self._row, self._column = self._row + 1, 0
        if self._row == len(self._rows):
            self._rows.append("")

    def _control(self, argument: str, letter: str) -> None:
        if letter == "A":
            self._row = max(0, self._row - int(argument or 1))
        elif letter == "K":
            self._wrapped.discard(self._row)
            self._rows[self._row] = "" if argument == "2" else self._rows[self._row][: self._column]
        elif argument == "?25":
            self.cursor = letter == "h"
        else:
            assert letter == "m", f"unknown: {argument}{letter}"


class Terminal(io.StringIO):
    """A stream that is a terminal; ``screen`` is what it shows."""

    def __init__(self, width: int = 80) -> None:
        super().__init__()
        self._width = width

    def isatty(self) -> bool:
        return True

    @property
    def screen(self) -> Screen:
        return Screen.of(self.getvalue(), self._width)
