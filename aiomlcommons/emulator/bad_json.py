"""Bodies that are not JSON, with the messages of the server's parser."""

from __future__ import annotations

from collections.abc import Mapping
from json import JSONDecodeError
from typing import Any

import orjson

from aiomlcommons.emulator.errors import Refused, refused
from aiomlcommons.wire.version import Version

_SOURCE = "[Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); {}]"
_NEW_PARSER = Version.parse("3.8")
NO_OBJECT = "Compressor detection can only be called on some xcontent bytes or compressed xcontent bytes"
NO_MAP = "Failed to parse content to map"


def bad_json(body: bytes, error: JSONDecodeError, version: str) -> Refused:
    """Return the error response to a body that is not JSON."""
    why = what_is_bad(body, error, version)
    return refused(400, why["type"], why["reason"], why.get("caused_by"))


def map_of(body: bytes, version: str) -> Mapping[str, Any]:
    """Return the object of a body that the server reads as a map. Raises Refused."""
    if not body.lstrip().startswith(b"{"):
        raise refused(400, "not_x_content_exception", NO_OBJECT)
    try:
        found: Mapping[str, Any] = orjson.loads(body)
    except JSONDecodeError as error:
        raise refused(400, "parse_exception", NO_MAP, what_is_bad(body, error, version)) from None
    return found


def what_is_bad(body: bytes, error: JSONDecodeError, version: str) -> dict[str, Any]:
    """Return what the server's parser says of a body, as a cause: its type, its reason, and since 3.8 its own cause."""
    text, is_new = body.decode("utf-8", "replace"), Version.parse(version) >= _NEW_PARSER
    opened = _unclosed(text)
    if opened is None:
        place = _SOURCE.format(f"line: {error.lineno}, column: {error.colno}")
        return _cause("json_parse_exception", f"{error.msg}\n at {place}", is_new and "stream_read_exception")
    # The newer parser reports byte offsets, and not where the bracket was.
    end = _SOURCE.format(f"byte offset: #{len(body)}" if is_new else _position(text, len(text)))
    start = _SOURCE.format("byte offset: #UNKNOWN" if is_new else _position(text, opened))
    reason = f"Unexpected end-of-input{_where(text, opened, start)}\n at {end}"
    kind = "unexpected_end_of_input_exception" if is_new else "json_e_o_f_exception"
    return _cause(kind, reason, is_new and kind)


def _cause(kind: str, reason: str, of: str | bool) -> dict[str, Any]:
    found: dict[str, Any] = {"type": kind, "reason": reason}
    return {**found, "caused_by": {"type": of, "reason": reason}} if of else found


def _where(text: str, opened: int, start: str) -> str:
    if text.rstrip()[-1] in ":,":
        return " within/between Object entries"
    return f": expected close marker for {'Array' if text[opened] == '[' else 'Object'} (start marker at {start})"


def _position(text: str, index: int) -> str:
    return f"line: {text.count(chr(10), 0, index) + 1}, column: {index - text.rfind(chr(10), 0, index)}"


def _unclosed(text: str) -> int | None:
    """Return the index of the innermost bracket that is never closed, or None."""
    opened: list[int] = []
    in_text = escaped = False
    for index, letter in enumerate(text):
        if in_text:
            in_text = escaped or letter != '"'
            escaped = letter == "\\" and not escaped
        elif letter == '"':
            in_text = True
        elif letter in "[{":
            opened.append(index)
        elif letter in "]}" and opened:
            opened.pop()
    return opened[-1] if opened else None
