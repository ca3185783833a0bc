"""An encoder of CBOR that chooses among all encodings of a value, as the standard (RFC 8949) allows them."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from decimal import Decimal
from random import Random
from typing import Any

import attrs

FLOATS = {2: (0xF9, ">e"), 4: (0xFA, ">f"), 8: (0xFB, ">d")}


@attrs.frozen
class Style:
    """How values are encoded: the shares of containers without a length, of long heads, of strings in chunks.

    ``floats`` is the width of a float that every number gets which it holds; None is any.
    """

    open: float = 1.0
    long: float = 0.0
    chunked: float = 0.0
    floats: int | None = 8

    @classmethod
    def any(cls, random: Random) -> Style:
        """Return a style: that of a real server, that of cbor2, or any mixture."""
        if random.random() < 0.7:
            return cls(open=random.choice([0.0, 1.0, 1.0]), floats=random.choice([4, 8, 8, None]))
        return cls(random.random(), random.random() * 0.3, random.random() * 0.3, random.choice([2, 4, 8, None]))


def encoded(value: Any, random: Random, style: Style) -> bytes:
    """Return the CBOR of a value."""
    match value:
        case None | True | False:
            return {None: b"\xf6", True: b"\xf5", False: b"\xf4"}[value]
        case int():
            return _whole(value, random, style)
        case float():
            return _float(value, random, style)
        case Decimal():
            return _decimal(value, random, style)
        case str():
            return _string(3, value.encode("utf-8", "surrogatepass"), random, style)
        case bytes():
            return _string(2, value, random, style)
        case Mapping():
            items = [encoded(key, random, style) + encoded(item, random, style) for key, item in value.items()]
            return _container(5, items, random, style)
    return _container(4, [encoded(item, random, style) for item in value], random, style)


def _head(major: int, number: int, random: Random, style: Style) -> bytes:
    least = 0 if number < 24 else 1 if number < 1 << 8 else 2 if number < 1 << 16 else 4 if number < 1 << 32 else 8
    width = random.choice([w for w in (1, 2, 4, 8) if w >= least]) if random.random() < style.long else least
    if not width:
        return bytes([major << 5 | number])
    return bytes([major << 5 | 23 + width.bit_length()]) + number.to_bytes(width, "big")


def _whole(value: int, random: Random, style: Style) -> bytes:
    number = value if value >= 0 else -1 - value
    if number.bit_length() > 64:
        raw = number.to_bytes((number.bit_length() + 7) // 8, "big")
        return (b"\xc2" if value >= 0 else b"\xc3") + _head(2, len(raw), random, style) + raw
    return _head(0 if value >= 0 else 1, number, random, style)


def _float(value: float, random: Random, style: Style) -> bytes:
    tag, form = FLOATS[style.floats or random.choice([2, 4, 8])]
    try:
        raw = struct.pack(form, value)
    except OverflowError:
        raw = b""
    if not raw or (struct.unpack(form, raw)[0] != value and value == value):
        tag, raw = 0xFB, struct.pack(">d", value)
    return bytes([tag]) + raw


def _decimal(value: Decimal, random: Random, style: Style) -> bytes:
    sign, digits, exponent = value.as_tuple()
    assert isinstance(exponent, int)
    mantissa = int("".join(map(str, digits))) * (-1 if sign else 1)
    return b"\xc4\x82" + _whole(exponent, random, style) + _whole(mantissa, random, style)


def _string(major: int, raw: bytes, random: Random, style: Style) -> bytes:
    if random.random() >= style.chunked or (major == 3 and not raw.isascii()):
        return _head(major, len(raw), random, style) + raw
    at = random.randint(0, len(raw))
    chunks = b"".join(_head(major, len(chunk), random, style) + chunk for chunk in (raw[:at], raw[at:]))
    return bytes([major << 5 | 31]) + chunks + b"\xff"


def _container(major: int, items: list[bytes], random: Random, style: Style) -> bytes:
    if random.random() < style.open:
        return bytes([major << 5 | 31]) + b"".join(items) + b"\xff"
    return _head(major, len(items), random, style) + b"".join(items)
