"""Reading of the objects of a JSON file one by one, in bounded memory."""

from __future__ import annotations

import codecs
import re
from json import JSONDecodeError, JSONDecoder

import attrs

from aiomlcommons.ingest.sources._compression import Content
from aiomlcommons.ingest.sources._encoding import Encoding
from aiomlcommons.ingest.sources._json_objects import parsed
from aiomlcommons.ingest.sources.reading import LinePosition, source_errors
from aiomlcommons.ingest.types import SHOWN, BadRow, Row, Rows

ROWS_AT_ONCE = 1_000
BYTES_AT_ONCE = 1 << 20
READ_AT_ONCE = 1 << 18
# Characters of an object. A file that is one object cannot be read piece by piece.
LONGEST_OBJECT = 1 << 26
# Characters that may stand before an object where reading goes on, with the object's first name.
_BEFORE_OBJECT = 1 << 12
# The longest word of JSON that is an error if it is cut, as "-Infinity" or half a surrogate pair.
_LONGEST_WORD = 16
_CUT_WORD = re.compile(r"[-+.\w\\]*\s*")
_SEPARATORS = re.compile(r"[\s,\ufeff]*")
_FIRST_NAME = re.compile(r'\{\s*("(?:[^"\\]|\\.)*")\s*:')
_NOT_TEXT = re.compile(r"[\ud800-\udfff]")
# Where an object begins after what is not JSON, outside of an array and in one whose objects have no known first name.
_AT_LINE_START = re.compile(r"[\r\n](?=\{)")
_ON_A_LINE = re.compile(r"[\r\n][ \t]*(?=\{)")
# Only finds the end of a value, so that numbers of any size do.
_DECODER = JSONDecoder(parse_int=str, parse_float=str)


@attrs.define
class JsonReader:
    """A reader of objects from a file; ``place`` is how far it is read. It blocks: call it in a thread.

    ``head`` is the beginning of the file, which tells the first name of its objects.
    """

    name: str
    content: Content
    encoding: Encoding
    place: LinePosition
    start: int
    in_array: bool
    head: str
    # What is read of the file: ``place`` counts it up to ``_counted``, the next value is at ``_at``.
    _text: str = attrs.field(default="", init=False)
    _counted: int = attrs.field(default=0, init=False)
    _at: int = attrs.field(default=0, init=False)
    _ended: bool = attrs.field(default=False, init=False)
    _errors: str = attrs.field(init=False)
    _decoder: codecs.IncrementalDecoder = attrs.field(init=False)
    _in_array_next: re.Pattern[str] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        # What is not text is kept, so that its bytes can be counted.
        self._errors = "surrogatepass" if self.encoding.name.startswith(("utf-16", "utf-32")) else "surrogateescape"
        self._decoder = codecs.getincrementaldecoder(self.encoding.name)(self._errors)
        named = _FIRST_NAME.search(self.head)
        self._in_array_next = re.compile(rf"[,\[\r\n]\s*(?=\{{\s*{re.escape(named[1])}\s*:)") if named else _ON_A_LINE

    def next(self) -> Rows:
        """Return the next rows; none mean the end. Raises SourceError."""
        position, start, rows = [*self.place.position, int(self.in_array)], self.start, list[Row | BadRow]()
        with source_errors(f"{self.name}, after line {self.place.line}"):
            while len(rows) < ROWS_AT_ONCE and self.place.offset - position[0] < BYTES_AT_ONCE:
                if (row := self._next()) is None:
                    break
                rows.append(row)
            self._count()
        self.start += len(rows)
        return Rows(start, rows, position, self.content.share)

    def _next(self) -> Row | BadRow | None:
        """Return the next row; None at the end of the file."""
        while self._character() == ("]" if self.in_array else "["):
            self.in_array = not self.in_array
            self._at += 1
        if self._at == len(self._text):
            return self._end()
        try:
            end = self._end_of_value()
        except EOFError as error:
            self.in_array = False
            return self._bad(f"the file ends within a value: {error}", len(self._text))
        except (ValueError, RecursionError) as error:
            return self._broken(f"not JSON: {error}")
        try:
            row = parsed(self._text[self._at : end].encode())
        except UnicodeEncodeError:
            return self._bad(self.encoding.misfit, end)
        except ValueError as error:
            return self._bad(str(error), end)
        self._at = end
        return row

    def _character(self) -> str:
        """Move to the next value, and return its first character; an empty string at the end of the file."""
        while found := _SEPARATORS.match(self._text, self._at):
            self._at = found.end()
            if self._at < len(self._text) or not self._fill():
                break
        return self._text[self._at : self._at + 1]

    def _end_of_value(self) -> int:
        """Return where the value ends. Raises ValueError or RecursionError, EOFError if the file ends before it."""
        while True:
            try:
                end: int = _DECODER.raw_decode(self._text, self._at)[1]
            except JSONDecodeError as error:
                unterminated = error.msg.startswith("Unterminated string")
                if (unterminated or error.pos > len(self._text) - _LONGEST_WORD) and self._fill():
                    continue
                if self._ended and (unterminated or _CUT_WORD.fullmatch(self._text, error.pos)):
                    raise EOFError(error.msg) from None
                raise ValueError(error.msg) from None  # without the place in what is read, which is none of the file
            # A number or a word may go on.
            if end < len(self._text) or not self._fill():
                return end

    def _end(self) -> BadRow | None:
        if not self.in_array:
            return None
        self.in_array = False
        return self._bad("the file ends within an array", self._at)

    def _bad(self, why: str, end: int) -> BadRow:
        """Move to the end of a value, and return it as a bad row."""
        begin, raw = self._place(), self._text[self._at : end]
        self._at = end
        return self._bad_row(why, begin, raw)

    def _broken(self, why: str) -> BadRow:
        """Move to the next object after a value that is not JSON, and return all before it as a bad row."""
        while len(self._text) - self._at < _BEFORE_OBJECT and self._fill():
            continue  # so that what is shown does not depend on how the file is read
        begin, at = self._place(), self._at
        found = self._next_object.search(self._text, at + 1)
        raw = self._text[at : min(found.start() if found else len(self._text), at + _BEFORE_OBJECT)]
        if found is None and (found := self._later_object()) is None:
            self._at, self.in_array = len(self._text.rstrip()), False  # what closes the array may be in it
            return self._bad_row(why, begin, raw)
        self._at = found.start()
        row = self._bad_row(why, begin, raw)
        self._at = found.end()
        return row

    def _later_object(self) -> re.Match[str] | None:
        """Find the next object in what is not read yet."""
        found = None
        while found is None and not self._ended:
            self._at = max(self._at, len(self._text) - _BEFORE_OBJECT)
            self._fill()
            found = self._next_object.search(self._text)
        return found

    @property
    def _next_object(self) -> re.Pattern[str]:
        return self._in_array_next if self.in_array else _AT_LINE_START

    def _place(self) -> tuple[int, int]:
        """Return the line, from 1, and the byte of the next value."""
        self._count()
        return self.place.line + 1, self.place.offset

    def _bad_row(self, why: str, begin: tuple[int, int], raw: str) -> BadRow:
        line, offset = begin
        last, _ = self._place()
        lines = f"line {line}" if line == last else f"lines {line} to {last}"
        raw = _NOT_TEXT.sub("\ufffd", raw[:SHOWN].strip())
        return BadRow(why, f"{self.name}, {lines}, byte {offset:,}", raw)

    def _fill(self) -> bool:
        """Read more of the file; return False at its end, or if a value is too long."""
        if self._ended or len(self._text) - self._at > LONGEST_OBJECT:
            return False
        self._count()
        self._text, self._at, self._counted = self._text[self._at :], 0, 0
        data = self.content.read(max(READ_AT_ONCE, len(self._text)))
        self._ended = not data
        self._text += self._decoder.decode(data)
        return True

    def _count(self) -> None:
        """Count in ``place`` what stands before the next value."""
        begin, self._counted = self._counted, self._at
        data = self._text[begin : self._at].encode(self.encoding.name, self._errors)
        self.place.advance(data, self._text.count("\n", begin, self._at))
