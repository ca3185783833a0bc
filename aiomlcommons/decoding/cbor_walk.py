"""The memory that the values of CBOR take, told by a walk over the heads of its items, without decoding them.

The walk also refuses what no OpenSearch sends, and what makes a decoder work or a walk over its result endless: items
that refer to others (a list may hold itself), patterns, dates and addresses, keys that are no texts (whose hashes may
all be equal), and numbers of thousands of digits.
"""

from __future__ import annotations

import re

_BYTES, _TEXT, _ARRAY, _MAP, _TAG = range(2, 7)
_STRINGS, _CONTAINERS = (_BYTES, _TEXT), (_ARRAY, _MAP)
_BREAK, _OPEN = 0xFF, 31
# Simple values that mean nothing: all but false, true, null and undefined.
_UNKNOWN = frozenset({*range(0xE0, 0xF4), 0xF8})
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
# A place in a list, of a value that exists once: true and the like, and the numbers from -5 to 23.
_PLACE = 9
_ONCE = bytes((*range(0x18), *range(0x20, 0x25), *range(0xF4, 0xF8)))
# The bytes of a head with its length or number, by the low bits of its first byte.
_WIDTHS = (*(1,) * 24, 2, 3, 5, 9, 1, 1, 1, 1)
# Those of floats, which come in long runs, as do numbers of several widths: of quantized embeddings, or with a 0 among
# them. The longest blocks that fit are matched at once, since a walk number by number takes longer than to decode them.
_FLOATS = {0xFA: 5, 0xFB: 9}
_ANY_NUMBER = rb"(?>[\x00-\x17\x20-\x37]|[\x18\x38].|[\x19\x39\xf9]..|[\x1a\x3a\xfa].{4}|[\x1b\x3b\xfb].{8})"
_BLOCKS = {length: re.compile(_ANY_NUMBER + b"{%d}+" % length, re.DOTALL) for length in (64, 8)}
_FEWEST = min(_BLOCKS)
_NUMBERS = frozenset({*range(0x1C), *range(0x20, 0x3C), 0xF9, 0xFA, 0xFB})


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
        if head in _NUMBERS and not is_map and (left < 0 or left >= _FEWEST):
            count, end, more = numbers_of(body, at, left if left > 0 else len(body))
            if count:
                # What a break ends stays below 0, however many items it has.
                at, left, weight, tag = end, left - count if left > 0 else left, weight + more, 0
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
        elif head in _UNKNOWN:
            raise ValueError("not CBOR as OpenSearch writes it: a simple value without a meaning")
        else:
            weight += _PLACE if head in _ONCE else _NUMBER
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


def numbers_of(body: bytes, start: int, most: int) -> tuple[int, int, int]:
    """Return how many numbers, one behind the other, are taken at once, where they end, and what they weigh.

    They are at most so many; a few that are left behind them are not counted.
    """
    head = body[start]
    if head in _FLOATS:
        count = min(most, run_of(body, start, _FLOATS[head]))
        if count >= _FEWEST:
            return count, start + count * _FLOATS[head], count * _NUMBER
    elif head in _ONCE:
        count = min(most, run_of(body, start, 1, _ONCE))
        if count >= _FEWEST:
            return count, start + count, count * _PLACE
    count, end = 0, start
    for length, block in _BLOCKS.items():
        while count + length <= most and (found := block.match(body, end)):
            count, end = count + length, found.end()
    return count, end, count * _NUMBER


def run_of(body: bytes, start: int, width: int, heads: bytes = b"") -> int:
    """Return how many items of a width, one behind the other, have the head of the first, or one of ``heads``."""
    heads, most = heads or body[start : start + 1], 1024
    while True:
        found = body[start : start + most * width : width]
        same = len(found) - len(found.lstrip(heads))
        if same < most:
            return same
        most *= 4
