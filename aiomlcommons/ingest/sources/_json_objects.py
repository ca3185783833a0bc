"""JSON objects as rows, with whole numbers of any size."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from json import JSONDecoder
from typing import Any

import attrs
import numpy as np
import orjson

from aiomlcommons.ingest.errors import SourceError
from aiomlcommons.ingest.json_values import loaded
from aiomlcommons.ingest.sources._encoding import Encoding
from aiomlcommons.ingest.sources._lines import Lines
from aiomlcommons.ingest.types import BadRow, Row

# Lines of more bytes on average are parsed one by one: together they gain nothing, and take memory.
_SHORT = 1 << 11
# What stands between lines that are parsed together: a whole number that equals no other value of JSON, as no double is
# 2^53 + 1.
_BETWEEN = (1 << 53) + 1
_DIGITS = b"%d" % _BETWEEN
# What stands before the first object of an array, or of one that has several lines.
_NOT_LINES = re.compile(r"\s*(?:\[\s*(?=\{)|(?=\{[ \t]*[\r\n]))")


@attrs.frozen
class LineObjects:
    """The parser of lines in an encoding, each of which holds one object."""

    name: str
    encoding: Encoding

    def rows(self, first: int, lines: Lines) -> Sequence[Row | BadRow]:
        """Return the rows of the lines, of which the first is number ``first`` of the file, from 1.

        A blank line has no row. A line that is not an object is a BadRow, unless carriage returns divide it into
        objects.
        """
        if self.encoding.is_utf8 and not _may_have_long_numbers(lines.data):
            # Nearly all lines of nearly all files go through here.
            with suppress(ValueError):
                values = _together(lines) or list(map(orjson.loads, lines.split()))
                if set(map(type, values)) == {dict}:
                    return values
        return [row for number, line in enumerate(lines.split(), first) for row in self._rows(number, line)]

    def _rows(self, number: int, line: bytes) -> Sequence[Row | BadRow]:
        text = line[self.encoding.bom :] if number == 1 else line
        try:
            data = self.encoding.decode(text).encode()
        except UnicodeError:
            return [self._bad(self.encoding.misfit, number, text)]
        try:
            return [parsed(data)] if data.strip() else []
        except ValueError as error:
            torn = "" if line.endswith(self.encoding.line_ends) else "the file ends within the line: "
            return self._divided(data) or [self._bad(f"{torn}{error}", number, text)]

    def _bad(self, why: str, number: int, text: bytes) -> BadRow:
        return BadRow(why, f"{self.name}, line {number}", self.encoding.excerpt(text))

    def _divided(self, data: bytes) -> list[Row]:
        parts = [part for part in data.splitlines() if part.strip()]
        try:
            return [parsed(part) for part in parts] if len(parts) > 1 else []
        except ValueError:
            return []


def check_lines(name: str, text: str) -> None:
    """Raise SourceError if a file that begins with ``text`` holds an array, or objects of several lines each.

    Each of its lines would be a bad row. Damage alone does not make a whole object of what such a file begins with.
    """
    line, _, rest = text.lstrip().partition("\n")
    if (begin := _NOT_LINES.match(text)) is None or (rest.strip() and _after_json(line) is not None):
        return
    after, in_array = _after_json(text[begin.end() :]), "[" in begin[0]
    if after is None or (in_array and after.lstrip()[:1] not in {",", "]"}):
        return
    kind = "an array of objects" if in_array else "objects of several lines each"
    raise SourceError(
        f"{name} is not JSON Lines but has {kind}: let its name end in .json, read it with JsonSource, or make "
        "lines of it, as jq -c does"
    )


def _after_json(text: str) -> str | None:
    """Return what follows the value that a text begins with; None if that is not JSON."""
    try:
        return text[JSONDecoder().raw_decode(text)[1] :]
    except (ValueError, RecursionError):
        return None


def parsed(data: bytes) -> Row:
    """Parse a JSON object in UTF-8: whole numbers are ints of any size, other numbers doubles.

    Raises ValueError, which says why, for what is not one object in strict JSON, and for a number beyond the range of
    a double.
    """
    try:
        value = loaded(data)
    except ValueError as error:
        raise ValueError(f"not JSON: {error}") from None
    if isinstance(value, dict):
        return value
    raise ValueError(f"not a JSON object but {'null' if value is None else type(value).__name__}")


def _together(lines: Lines) -> list[Any] | None:
    """Return the values of lines, each of which is one value; None if that is to be found out line by line.

    Raises ValueError if it is not. One call for all lines takes half of the time. A line that is cut off could make
    one value with the next ones: then what stands between them is within that value.
    """
    if lines.count < 2 or len(lines.data) > lines.count * _SHORT or _DIGITS in lines.data:
        return None
    text = lines.data.removesuffix(lines.newline).replace(lines.newline, b",%s," % _DIGITS)
    values = orjson.loads(b"".join((b"[", text, b"]")))
    between = values[1::2]
    return values[::2] if len(values) == 2 * lines.count - 1 and between.count(_BETWEEN) == len(between) else None


def _may_have_long_numbers(data: bytes) -> bool:
    """Return whether bytes have 19 digits in a row. Much faster than a regular expression."""
    found = np.frombuffer(data, np.uint8) - np.uint8(ord("0")) < 10
    for step in (1, 2, 4, 8, 3):  # found[i] tells of 2, 4, 8, 16 and then 19 digits from i on
        found = found[step:] & found[:-step]
    return bool(found.any())
