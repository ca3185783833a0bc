"""The memory that the values of CBOR take, told by a walk over the heads of its items, without decoding them.

The walk also refuses what no OpenSearch sends, and what makes a decoder work or a walk over its result endless: items
that refer to others (a list may hold itself), patterns, dates and addresses, keys that are no texts (whose hashes may
all be equal), and numbers of thousands of digits.
"""

from __future__ import annotations

_BYTES, _TEXT, _ARRAY, _MAP, _TAG = range(2, 7)
_STRINGS, _CONTAINERS = (_BYTES, _TEXT), (_ARRAY, _MAP)
_BREAK, _UNKNOWN, _OPEN = 0xFF, 0xF8, 31
# Integers of many bytes, decimals, and the tag that says that it is CBOR. A decimal is an array, which is walked.
_IS_CBOR = 55799
_TAGS = frozenset({2, 3, 4, _IS_CBOR})
_INTEGERS = frozenset({2, 3})
# Bytes of an integer of many; 64 are 154 digits.
_LONGEST_INTEGER = 64
_DEEPEST = 100
# Bytes of memory: of a list, a dict and its table, a decimal, a number and its place in a list, and a text or bytes and
# theirs beside what they hold.
_LIST, _DICT, _DECIMAL, _NUMBER, _STRING = 104, 256, 112, 57, 89
# A place in a list, of a value that exists once, such as true.
_PLACE = 9
# The bytes of a head with its length or number, by the low bits of its first byte.
_WIDTHS = (*(1,) * 24, 2, 3, 5, 9, 1, 1, 1, 1)
# Those of floats, which come in long runs.
_FLOATS = {0xFA: 5, 0xFB: 9}


def check_cbor(body: bytes, most: int) -> bool:
    """Return whether the values of a CBOR body take at most so many bytes of memory.

    Raises ValueError if it is cut off, or holds what no server sends.
    """
    try:
        return weight_of(body, most) <= most
    except IndexError:
        raise ValueError("not CBOR: it is cut off") from None


def weight_of(body: bytes, most: int) -> int:
    """Return the bytes of memory that the values of a body take at the most; the walk ends where they are too many."""
    at = weight = tag = 0
    # How many items are to come in what is open, below 0 if a break ends it, and whether that is a map.
    left, is_map = 1, False
    around: list[tuple[int, bool]] = []
    while weight <= most:
        if not left:
            if not around:
                break
            left, is_map = around.pop()
            continue
        head = body[at]
        if head in _FLOATS and not is_map:
            count = run_of(body, at, _FLOATS[head])
            count = count if left < 0 else min(count, left)
            at, left, weight = at + count * _FLOATS[head], left - count, weight + count * _NUMBER
            continue
        kind, info = head >> 5, head & 31
        if is_map and not left % 2 and kind != _TEXT and head != _BREAK:
            raise ValueError("not CBOR as OpenSearch writes it: a key is no text")
        width = _WIDTHS[info]
        number = info if width == 1 else int.from_bytes(body[at + 1 : at + width], "big")
        at += width
        if kind == _TAG:
            tag = _checked_tag(number, tag)
            weight += _DECIMAL
            continue
        left -= 1
        if kind in _CONTAINERS or (info == _OPEN and kind in _STRINGS):
            around.append((left, is_map))
            is_map = kind == _MAP
            left = -2 if info == _OPEN else 2 * number if is_map else number
            weight += _DICT if is_map else _LIST
            _check_depth(len(around))
            _check_integer(len(body), tag)  # of chunks, which are not counted
        elif kind in _STRINGS:
            at += number
            # Each character of a text takes as much as its widest one: four bytes for an emoji.
            weight += _STRING + (number if kind == _BYTES else 4 * number)
            _check_integer(number, tag)
        elif head == _BREAK:
            left = _closed(left + 1, is_map)
        elif head == _UNKNOWN:
            raise ValueError("not CBOR as OpenSearch writes it: a simple value without a meaning")
        else:
            weight += _PLACE if width == 1 else _NUMBER
        tag = 0
    if at > len(body):
        raise ValueError("not CBOR: it is cut off")
    return weight


def _checked_tag(number: int, before: int) -> int:
    # A tag of a tag makes the decoder go a level deeper; only that of the whole may have another one behind it.
    if number not in _TAGS or before not in {0, _IS_CBOR} or before == number:
        raise ValueError(f"not CBOR as OpenSearch writes it: it has the tag {number}")
    return number


def _check_depth(depth: int) -> None:
    if depth > _DEEPEST:
        raise ValueError(f"not CBOR as OpenSearch writes it: nested in more than {_DEEPEST} levels")


def _check_integer(length: int, tag: int) -> None:
    if tag in _INTEGERS and length > _LONGEST_INTEGER:
        raise ValueError(f"not CBOR as OpenSearch writes it: an integer of {length} bytes")


def _closed(left: int, is_map: bool) -> int:
    if left >= 0 or (is_map and left % 2):
        raise ValueError("not CBOR: a break where nothing is open")
    return 0


def run_of(body: bytes, start: int, width: int) -> int:
    """Return how many items of a width, one behind the other, have the tag of the first."""
    tag, most = body[start : start + 1], 1024
    while True:
        tags = body[start : start + most * width : width]
        same = len(tags) - len(tags.lstrip(tag))
        if same < most:
            return same
        most *= 4
