"""Text encodings of files: found by a byte order mark (BOM) or named, and what ends a line in them."""

from __future__ import annotations

import codecs

import attrs

from aiomlcommons.errors import InvalidRequest
from aiomlcommons.ingest.types import SHOWN

# UTF-32 comes first, because its little-endian mark begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


@attrs.frozen
class Encoding:
    """The encoding of a file by its ``name`` in Python; ``bom`` is the number of bytes of its byte order mark."""

    name: str = "utf-8"
    bom: int = 0

    @classmethod
    def of(cls, head: bytes, named: str | None) -> Encoding:
        """Return the encoding of a file that begins with ``head``: the one ``named``, else by its mark, else UTF-8.

        ``utf-16`` and ``utf-32`` without a mark are little-endian.
        """
        mark, marked = next(((mark, name) for mark, name in _MARKS if head.startswith(mark)), (b"", "utf-8"))
        if named is None:
            return cls(marked, len(mark))
        name = codecs.lookup(named).name.removesuffix("-sig")
        if name in {"utf-16", "utf-32"}:
            name = marked if marked.startswith(name) else f"{name}-le"
        return cls(name, len(mark) if marked == name else 0)

    @staticmethod
    def undecided(head: bytes) -> bool:
        """Return whether so few bytes may be the beginning of a byte order mark."""
        return any(head != mark and mark.startswith(head) for mark, _ in _MARKS)

    @property
    def line_ends(self) -> tuple[bytes, ...]:
        """What may end a line, as bytes."""
        return "\n".encode(self.name), "\r".encode(self.name)

    @property
    def is_utf8(self) -> bool:
        """Whether it is UTF-8."""
        return self.name == "utf-8"

    @property
    def misfit(self) -> str:
        """Why a row is bad that is not in this encoding."""
        return f"not {self.name.upper()}: name the encoding of the file"

    def newline(self, head: bytes) -> str:
        """Return what ends the lines of a file: a line feed, or a carriage return if ``head`` has only those."""
        text = self.shown(head)
        return "\r" if "\r" in text[:-1] and "\n" not in text else "\n"

    def decode(self, data: bytes) -> str:
        """Decode bytes. Raises UnicodeDecodeError."""
        return data.decode(self.name)

    def shown(self, data: bytes) -> str:
        """Decode bytes for a message: what is not text becomes U+FFFD."""
        return data.decode(self.name, errors="replace")

    def excerpt(self, data: bytes) -> str:
        """Return the beginning of a bad row as text, in the file's own characters."""
        return self.shown(data[: 4 * SHOWN]).rstrip("\r\n")[:SHOWN]


def check_encoding(_: object, __: object, name: str | None) -> None:
    """Validate the name of an encoding, as a validator of attrs. Raises InvalidRequest."""
    try:
        "\n".encode("utf-8" if name is None else name)
    except (LookupError, ValueError, TypeError) as error:
        raise InvalidRequest(f"encoding must be one that Python knows, such as 'latin-1', not {name!r}") from error
