"""Whole numbers among doubles in CBOR: a provider's 0 comes in one byte. Made doubles, all are at one stride."""

from __future__ import annotations

import re
import struct
from typing import Any

import numpy.typing as npt

from aiomlcommons.decoding.cbor_walk import run_of
from aiomlcommons.inference._strided import NEAR, Careful, strided

DATA = re.compile(rb"\x64data([\x9f\x81-\x97]|\x98.|\x99..|\x9a.{4})", re.DOTALL)
_DOUBLE, _DOUBLE_WIDTH, _EXACT = 0xFB, 9, 2**53
# Of more of them, one in so many bytes, the careful decoder makes an array in less time.
_SOME, _BYTES_FOR_EACH = 8, 600


def with_whole(body: bytes, count: int, careful: Careful) -> npt.NDArray[Any] | None:
    """Return embeddings of doubles with a few whole numbers, as ``strided`` does. None if there is more to it."""
    head = DATA.search(body, 0, NEAR)
    if head is None or (doubles := _as_doubles(body, head, count)) is None:
        return None
    return strided(doubles, count, careful)


def _as_doubles(body: bytes, head: re.Match[bytes], count: int) -> bytes | None:
    """Return the body with a double for each whole number; None if there are none, many, or large ones."""
    pieces: list[bytes] = []
    most = _SOME + len(body) // _BYTES_FOR_EACH
    at = done = 0
    for _ in range(count):
        if (found := body.find(head[0], at)) < 0:
            return None
        at = found + len(head[0])
        while (at := _behind_doubles(body, at)) < len(body) and (width := _width(body[at])):
            number = int.from_bytes(body[at + 1 : at + width], "big") if width > 1 else body[at] & 0x1F
            if number >= _EXACT or len(pieces) >= 2 * most:
                return None
            value = -1 - number if body[at] & 0x20 else number
            pieces += body[done:at], struct.pack(">Bd", _DOUBLE, value)
            at += width
            done = at
    return b"".join((*pieces, body[done:])) if pieces else None


def _behind_doubles(body: bytes, at: int) -> int:
    return at + _DOUBLE_WIDTH * run_of(body, at, _DOUBLE_WIDTH) if body[at : at + 1] == b"\xfb" else at


def _width(head: int) -> int:
    """Return the width of a whole number by its head; 0 if that is the head of something else."""
    info = head & 0x1F
    return 0 if head >= 0x40 or info > 27 else 1 if info < 24 else 1 + (1 << info - 24)
