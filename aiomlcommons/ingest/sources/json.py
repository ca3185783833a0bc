"""JSON files, compressed or not: an array of objects, or objects one after another."""

from __future__ import annotations

import codecs
from typing import Any

import attrs

from aiomlcommons.errors import InvalidRequest
from aiomlcommons.ingest.sources._compression import Content
from aiomlcommons.ingest.sources._encoding import Encoding, check_encoding
from aiomlcommons.ingest.sources._json_reader import JsonReader
from aiomlcommons.ingest.sources.reading import LinePosition, RecordSource, checked_position, head_of, seek
from aiomlcommons.typed import typed_fields


def _check_bytes_of_characters(_: object, __: object, named: str | None) -> None:
    """Refuse an encoding in which the bytes of a text cannot be counted."""
    if named is None or (name := codecs.lookup(named).name).startswith("utf-"):
        return
    every = bytes(range(256))
    text = every.decode(name, "surrogateescape")
    if len(text) != len(every) or text.encode(name, "surrogateescape") != every:
        raise InvalidRequest(
            f"the encoding of a .json file must be a UTF or have one byte a character, unlike {named!r}: "
            "convert the file to UTF-8"
        )


@attrs.frozen(field_transformer=typed_fields)
class JsonSource(RecordSource):
    """A JSON file, decompressed by its suffix, whose rows are the objects of an array, read one by one.

    A file that is no array is read as objects one after another: a single one, or JSON Lines. Commas between objects
    may be missing.

    An element that is not an object is a BadRow. So is what is not JSON: then reading goes on at the next object, which
    in an array is one that follows a comma or begins a line, and begins with the same name as the first object of the
    file; outside of an array, one at the beginning of a line. If the file ends before its array, that is a BadRow too.
    Numbers are those of JsonlSource.

    ``encoding`` is the name of the text encoding in Python; None is that of the byte order mark, else UTF-8.
    A position is the byte offset after decompression, the number of lines before it, a checksum of the bytes before it,
    and whether it is in an array.
    """

    encoding: str | None = attrs.field(default=None, validator=[check_encoding, _check_bytes_of_characters])

    def _reader(self, content: Content, position: Any, start: int) -> JsonReader:
        head = head_of(content, self.name)
        encoding, place, in_array = Encoding.of(head, self.encoding), LinePosition(), False
        if position is None:
            place.advance(content.read(encoding.bom), 0)
        else:
            *before, array = checked_position(position, 4, self.name)
            seek(content, self.name, place, before)
            in_array = bool(array)
        return JsonReader(self.name, content, encoding, place, start, in_array, encoding.shown(head))
