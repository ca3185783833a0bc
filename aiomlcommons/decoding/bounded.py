"""JSON and CBOR, decoded only if their values fit into a bound of memory, and hold nothing that a server never sends.

An empty list takes two bytes of JSON, or one of CBOR, and some eighty of memory. So what is large enough to go beyond
the bound is weighed before it is decoded: by counts of the characters that begin values in JSON, item by item in CBOR.
"""

from __future__ import annotations

from typing import Any

import cbor2
import orjson

LARGEST_RESPONSE = 2**28
"""Bytes of the largest response that is read, unless the options say otherwise."""
TIMES = 4
"""The values of a response may take so many times the memory that its bytes may."""
# Bytes of memory for a byte of JSON, at the most: "[[]]," are two lists in five bytes.
_WORST = 50
# What a character adds at the most: a dict and its table, a list, a place in one with its number, a place in a table,
# and half of a text, which has two quotes.
_WEIGHTS = {b"{": 200, b"[": 96, b",": 40, b":": 24, b'"': 32}
_FOUR_BYTES = tuple(bytes((head,)) for head in range(0xF0, 0xF5))


class TooMuch(ValueError):
    """Data whose values would take more memory than is allowed; the message continues "the response ..."."""


def decode_json(body: bytes, most: int) -> Any:
    """Decode JSON, of a response of at most ``most`` bytes. Raises ValueError if it is invalid, TooMuch beforehand."""
    if len(body) * _WORST > most * TIMES and _weight(body) > most * TIMES:
        raise too_much(most)
    return orjson.loads(body)


def decode_cbor(body: bytes, most: int) -> Any:
    """Decode CBOR, of a response of at most ``most`` bytes. Raises ValueError if it is invalid, TooMuch beforehand."""
    # Few programs get CBOR, and none needs it to open a session.
    from aiomlcommons.decoding.cbor_walk import check_cbor

    if not check_cbor(body, most * TIMES):
        raise too_much(most)
    try:
        return cbor2.loads(body)
    except Exception as error:  # of many kinds, such as those of decimals
        raise ValueError(f"not CBOR: {error}") from error


def too_much(most: int) -> TooMuch:
    """Return the error for values that take more memory than a response of ``most`` bytes may."""
    return TooMuch(f"holds so many values that they take more than {TIMES * most} bytes of memory when decoded")


def _weight(body: bytes) -> int:
    """Return the bytes of memory that the values of JSON take at the most."""
    # Each character of a text takes as much as its widest one: four bytes for an emoji, two for most languages.
    width = 1 if body.isascii() else 4 if any(head in body for head in _FOUR_BYTES) else 2
    return width * len(body) + sum(weight * body.count(character) for character, weight in _WEIGHTS.items())
