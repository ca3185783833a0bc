"""Short reprs: any value in one line of bounded length, without credentials, at a cost that does not grow with it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from itertools import islice
from typing import Any, Protocol, TypeAlias, runtime_checkable

from aiomlcommons.masking import MASK, beginning, is_hidden, is_secret_header

ROOM = 160
"""Characters of a repr, about: names, ids and states are shown beyond that."""
TEXT = 60
"""Characters of a text in a repr."""
# Characters of a part of a repr, and fewer than which a container has no room for any of its parts.
_PART, _LEAST = 70, 16
# Levels of nesting; deeper values are only counted.
_DEPTH = 6
# Bits of the largest integer that is shown: Python refuses to write one of some thousand digits.
_BITS = 200
_BRACKETS: Mapping[type, tuple[str, str]] = {list: ("[", "]"), tuple: ("(", ")"), set: ("{", "}")}
_Show: TypeAlias = Callable[[int], str]


@runtime_checkable
class HasParts(Protocol):
    """A value that is shown as its class with named parts, or in a table of several as a row of them."""

    def _parts(self) -> Iterable[Part]: ...
    def _row(self) -> Iterable[Part]: ...


class Part:
    """A named part of a value; one that ``is_key`` (a name, an id, a state) is never left out."""

    __slots__ = ("is_key", "name", "value")

    def __init__(self, name: str, value: Any, *, is_key: bool = False) -> None:
        self.name, self.value, self.is_key = name, value, is_key


class Verbatim:
    """A text that is shown as it is, such as the mask of a credential."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def brief(value: Any, room: int = ROOM, depth: int = _DEPTH) -> str:
    """Return a value in one line of about ``room`` characters: long texts and lists are cut, and say by how much.

    Credentials are masked before anything is cut. Never raises.
    """
    if isinstance(value, str):
        return _text(value, max(_LEAST, min(room, TEXT)))
    try:
        return _shown(value, room, depth)
    except Exception:
        return f"<{type(value).__name__}>"  # a repr must not fail, whatever is in it


def brief_headers(value: Any, room: int = ROOM, depth: int = _DEPTH) -> str:
    """Return the headers that a record holds, briefly: harmless ones and placeholders, and the names of others."""
    if not isinstance(value, Mapping):
        return repr(value if value is None else MASK)
    return _mapping(value, room, depth, is_hidden=is_secret_header)


def more(count: int) -> str:
    """Return the words for what is left out: ``… 97 more``."""
    return f"… {count:,} more"


def _shown(value: Any, room: int, depth: int) -> str:
    if isinstance(value, bytes | bytearray | memoryview):
        return f"<{memoryview(value).nbytes:,} bytes>"
    if (shape := getattr(value, "shape", None)) is not None and not isinstance(value, HasParts):
        return f"<{getattr(value, 'dtype', type(value).__name__)} {shape}>"
    if isinstance(value, HasParts):
        return _parts(value, room, depth)
    if isinstance(value, Mapping):
        return _mapping(value, room, depth)
    if isinstance(value, Collection):
        return _collection(value, room, depth)
    if isinstance(value, int) and value.bit_length() > _BITS:
        return f"<an integer of {value.bit_length():,} bits>"
    text = repr(value)
    most = max(room, TEXT)
    return text if len(text) <= most else f"{text[:most]} {more(len(text) - most)}"


def _text(value: str, room: int) -> str:
    text, left = beginning(value, room)
    shown, length = repr(text), len(text)
    while len(shown) > room + 2 and length > 1:  # escapes such as \x00 make it longer
        length = max(1, min(length - 1, length * room // len(shown)))
        shown = repr(text[:length])
    left += len(text) - length
    return f"{shown} {more(left)}" if left else shown


def _mapping(value: Mapping[Any, Any], room: int, depth: int, is_hidden: Callable[[Any, Any], bool] = is_hidden) -> str:
    def entry(key: Any, part: Any, room: int) -> str:
        name = brief(key, _PART // 2, depth - 1)
        if is_hidden(key, part):
            return f"{name}: {MASK!r}"
        show = brief_headers if key == "headers" and isinstance(part, Mapping) else brief
        return f"{name}: {show(part, room - len(name) - 2, depth - 1)}"

    shows = (partial(entry, key, part) for key, part in value.items())
    return f"{{{_joined(shows, len(value), room, depth)}}}"


def _collection(value: Collection[Any], room: int, depth: int) -> str:
    if type(value) is set and not value:
        return "set()"
    before, after = _BRACKETS.get(type(value)) or (f"{type(value).__name__}([", "])")
    shows = ((lambda room, part=part: brief(part, room, depth - 1)) for part in value)
    comma = "," if type(value) is tuple and len(value) == 1 else ""
    return f"{before}{_joined(shows, len(value), room, depth)}{comma}{after}"


def _joined(shows: Iterable[_Show], total: int, room: int, depth: int) -> str:
    """Join the parts that fit, at least the first one, and say how many are left out."""
    shown: list[str] = []
    if room >= _LEAST and depth > 0:
        for show in islice(shows, room):
            part = show(room - _LEAST if total == 1 else min(room - _LEAST, _PART))
            if shown and len(part) > room:
                break
            shown.append(part)
            room -= len(part) + 2
            if room < _LEAST:
                break
    left = total - len(shown)
    return ", ".join([*shown, more(left)] if left else shown)


def _parts(value: HasParts, room: int, depth: int) -> str:
    """Show the parts that are keys, and of the others those that fit."""
    parts = list(value._parts())
    shown: list[str] = []
    for part in parts:
        if not part.is_key and (room < _LEAST or depth <= 0):
            continue
        show = brief_headers if part.name == "headers" else brief
        before = f"{part.name}=" if part.name else ""
        left = max(room, _LEAST) - len(before)
        text = before + show(part.value, left if len(parts) == 1 else min(left, _PART), depth - 1)
        if part.is_key or not shown or len(text) <= room:
            shown.append(text)
            room -= len(text) + 2
    left = len(parts) - len(shown)
    return f"{type(value).__name__}({', '.join([*shown, more(left)] if left else shown)})"
