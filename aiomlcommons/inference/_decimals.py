"""Decimals among doubles in CBOR, decoded by numpy: the server has those of a provider with more than 18 characters.

The numbers differ in width, and where the next one begins is told only by the one before. So each byte that may be a
head is taken for one at first; those that no other number leads to are dropped, until what is left is a chain from the
start of each row to its end.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from aiomlcommons.inference._strided import NEAR, OPEN, Careful, Layout, made_of, types_of
from aiomlcommons.inference._whole import DATA

_Bytes: TypeAlias = npt.NDArray[np.uint8]
_Positions: TypeAlias = npt.NDArray[np.intp]

_DECIMAL, _PAIR, _LONG_EXPONENT = 0xC4, 0x82, 0x38
_DECIMAL_HEAD = bytes((_DECIMAL, _PAIR))
# The width of a whole number by its head, and of the exponent of a decimal; 0 are heads of other items.
_WHOLE = np.zeros(256, "u1")
_WHOLE[0x00:0x18] = _WHOLE[0x20:0x38] = 1
for _head, _width in ((0x18, 2), (0x19, 3), (0x1A, 5), (0x1B, 9)):
    _WHOLE[_head] = _WHOLE[_head | 0x20] = _width
_EXPONENT = np.zeros(256, "u1")
_EXPONENT[0x20:0x38] = 1
_EXPONENT[_LONG_EXPONENT] = 2
# Arrays that are made of so many bytes stay in the processor's cache; and the most bytes of one embedding.
_PART, _MOST = 32_768, 1_048_576
# The most bytes that are looked at behind a head.
_PADDING = bytes(16)
# Steps until all are dropped that are not in a chain: a false number leads to a false one once in 30 times.
_STEPS = 8
# Digits of decimals below it are decoded here: from int64's least number on, abs() would be negative.
_LARGEST = 2**62
# The powers of ten that a double holds exactly.
_POWERS = np.array([10**power for power in range(23)], "f8")


def with_decimals(body: bytes, count: int, careful: Careful) -> npt.NDArray[Any] | None:
    """Return embeddings of floats, doubles and decimals in a CBOR body, as ``strided`` does. None if it has others."""
    head = DATA.search(body, 0, NEAR)
    if head is None or _DECIMAL_HEAD not in body or not count or (starts := _starts(body, head[0], count)) is None:
        return None
    values: list[npt.NDArray[np.float64]] = []
    ends: list[int] = []
    for low, high in pairwise(_parts(starts)):
        part = body[starts[low] : starts[high] if high < count else len(body)]
        if len(part) > _MOST or (found := _rows(part, np.array(starts[low:high]) - starts[low])) is None:
            return None
        values.append(found[0])
        ends += [starts[low] + end for end in found[1]]
    gaps = {body[end:start] for end, start in zip(ends, starts[1:], strict=False)}
    before, gap, after = body[: starts[0]], next(iter(gaps), b""), body[ends[-1] : ends[-1] + NEAR + 1]
    if len({part.shape[1] for part in values}) > 1 or len(gaps) > 1 or len(after) > NEAR:
        return None
    size = 0 if head[1] == OPEN else 9 * values[0].shape[1]
    types = types_of(Layout(before, gap, after, count, size, 9), careful)
    return None if types is None else made_of(np.concatenate(values), types.made)


def _parts(starts: list[int]) -> list[int]:
    """Return the numbers of the rows at which parts begin, and their number: several rows, or a large one, in each."""
    parts = [0]
    for i, start in enumerate(starts):
        if start - starts[parts[-1]] >= _PART:
            parts.append(i)
    return [*parts, len(starts)]


def _rows(part: bytes, starts: _Positions) -> tuple[npt.NDArray[np.float64], list[int]] | None:
    """Return the numbers that begin at starts, a row for each, and where the rows end. None if they are not even."""
    data = np.frombuffer(part + _PADDING, "u1")
    if (found := _chains(data, starts)) is None or (values := _values(data, found[0].ravel())) is None:
        return None
    first, ends = found
    return values.reshape(first.shape), ends[:, -1].tolist()


def _starts(body: bytes, head: bytes, count: int) -> list[int] | None:
    """Return where the first number of each row is, if there are so many rows."""
    starts: list[int] = []
    at = body.find(head)
    while at >= 0 and len(starts) <= count:
        starts.append(at + len(head))
        at = body.find(head, at + len(head))
    return starts if len(starts) == count else None


def _chains(data: _Bytes, starts: _Positions) -> tuple[_Positions, _Positions] | None:
    """Return the first byte of each number and the byte behind it, row by row, if the rows have the same length."""
    first = _possible(data)
    first, width = _with_widths(data, first)
    for _ in range(_STEPS):
        leads = np.zeros(len(data) + 1, "?")
        leads[starts] = leads[first + width] = True
        if (kept := leads[first]).all():
            break
        first, width = first[kept], width[kept]
    if not len(first) or len(first) % len(starts):
        return None
    first, width = first.reshape(len(starts), -1), width.reshape(len(starts), -1)
    ends = first + width
    is_chain = (first[:, 0] == starts).all() and (first[:, 1:] == ends[:, :-1]).all()
    return (first, ends) if is_chain and ends[-1, -1] <= len(data) - len(_PADDING) else None


def _possible(data: _Bytes) -> _Positions:
    """Return where numbers may begin."""
    heads = (data == 0xFB) | (data == 0xFA)
    heads[:-1] |= (data[:-1] == _DECIMAL) & (data[1:] == _PAIR)
    return np.flatnonzero(heads[: -len(_PADDING)])


def _with_widths(data: _Bytes, first: _Positions) -> tuple[_Positions, _Positions]:
    """Return the numbers with their widths, without those that are none."""
    width = np.where(data[first] == 0xFB, 9, 5)
    decimal = np.flatnonzero(data[first] == _DECIMAL)
    at = first[decimal] + 2
    exponent = _EXPONENT[data[at]]
    whole = _WHOLE[data[at + exponent]]
    width[decimal] = np.where((exponent > 0) & (whole > 0), 2 + exponent + whole, 0)
    kept = width > 0
    return first[kept], width[kept]


def _values(data: _Bytes, first: _Positions) -> npt.NDArray[np.float64] | None:
    """Return the numbers as doubles; None if a decimal has more than 62 bits."""
    heads = data[first]
    values = np.empty(len(first))
    for tag, wire in ((0xFB, ">f8"), (0xFA, ">f4")):
        which = np.flatnonzero(heads == tag)
        values[which] = _at(data, first[which] + 1, wire)
    which = np.flatnonzero(heads == _DECIMAL)
    at = first[which] + 2
    is_long = data[at] == _LONG_EXPONENT
    scale = np.where(is_long, data[at + 1], data[at] & 0x1F).astype("i8") + 1
    at += 1 + is_long
    if len(which):
        digits = _whole(data, at)
        if (abs(digits) >= _LARGEST).any():
            return None
        values[which] = _decimals(digits, scale)
    return values


def _at(data: _Bytes, positions: _Positions, wire: str) -> npt.NDArray[Any]:
    """Return the values of a type that begin at positions of any alignment."""
    kind = np.dtype(wire)
    at: npt.NDArray[Any] = np.ndarray((len(data) - kind.itemsize + 1,), kind, data, 0, (1,))[positions]
    return at.astype(kind.newbyteorder("="))


def _whole(data: _Bytes, first: _Positions) -> npt.NDArray[np.int64]:
    """Return whole numbers, none of them larger than 62 bits allow."""
    heads = data[first]
    values = (heads & 0x1F).astype("i8")
    for info, wire in ((0x18, "u1"), (0x19, ">u2"), (0x1A, ">u4"), (0x1B, ">u8")):
        which = np.flatnonzero((heads & 0x1F) == info)
        if len(which):
            values[which] = np.minimum(_at(data, first[which] + 1, wire).astype("u8"), np.uint64(_LARGEST))
    negative = (heads & 0x20) > 0
    values[negative] = ~values[negative]
    return values


def _decimals(digits: npt.NDArray[np.int64], scale: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Return ``digits / 10**scale``, rounded once as Python's ``float`` does."""
    power = _POWERS[np.minimum(scale, len(_POWERS) - 1)]
    high = digits.astype("f8")
    low = (digits - high.astype("i8")).astype("f8")
    quotient = high / power
    rest = (_remainder(high, quotient, power) + low) / power
    values: npt.NDArray[np.float64] = quotient + rest
    # What the sum lost tells whether it may be on the wrong side of the middle between two doubles.
    lost = abs((quotient - values) + rest)
    half = np.spacing(abs(values)) / 2
    for i in np.flatnonzero((abs(lost - half) <= half * 2.0**-30) | (scale >= len(_POWERS))).tolist():
        values[i] = float(f"{digits[i]}e-{scale[i]}")
    return values


def _remainder(
    whole: npt.NDArray[np.float64], quotient: npt.NDArray[np.float64], divisor: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Return ``whole - quotient * divisor`` without a rounding error (the product is that of Dekker)."""
    product = quotient * divisor
    (a, b), (c, d) = _halves(quotient), _halves(divisor)
    error = ((a * c - product) + a * d + b * c) + b * d
    rest: npt.NDArray[np.float64] = (whole - product) - error
    return rest


def _halves(values: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Split doubles into sums of two numbers with half of the digits (Veltkamp)."""
    wide = values * (2.0**27 + 1)
    high = wide - (wide - values)
    return high, values - high
