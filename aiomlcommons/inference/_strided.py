"""Embeddings that lie in CBOR at a constant stride, as servers write them: read in place, without decoding the rest.

What is around the numbers (keys, heads, ends) is the *layout*. It is the same in each answer of a model, so the careful
decoder judges it once, with other numbers in place of the embeddings; an answer of a known layout is only compared.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from aiomlcommons.decoding.cbor_walk import run_of

Careful: TypeAlias = Callable[[bytes, int], npt.NDArray[Any]]
"""Decodes a CBOR body to an array of so many embeddings, or raises."""

# The head of the first embedding: of the bytes of a tensor, or of an array whose first number is a float or a double.
_KEY = b"\x65array"
_BYTES = re.compile(rb"\x65array([\x41-\x57]|\x58.|\x59..|\x5a.{4})", re.DOTALL)
_ARRAY = re.compile(rb"([\x9f\x81-\x97]|\x98.|\x99..|\x9a.{4})(?=[\xfa\xfb])", re.DOTALL)
OPEN = b"\x9f"
_WIDTHS = {0xFA: 5, 0xFB: 9}
# Bytes that are finite as numbers of any type; of a prime number, so that no row begins where another one does.
_DIFFERENT = (np.arange(4093, dtype="u4") * np.uint32(2_654_435_761) >> 26 | 1).astype("u1")
_NUMBERS: Mapping[int, np.dtype[Any]] = {5: np.dtype(">f4"), 9: np.dtype(">f8")}
# What is before the first embedding, between two, or after the last takes some hundred bytes.
NEAR = 1024


class _Places(NamedTuple):
    """Where embeddings (``rows``) are: from ``start`` on, ``size`` bytes each, at a ``stride``.

    ``width`` is that of a number with its tag; 0 are plain bytes.
    """

    start: int
    rows: int
    size: int
    stride: int
    width: int


class Layout(NamedTuple):
    """What is around embeddings (``rows``) of ``size`` bytes; 0 are arrays that tell no length, so that any has it."""

    before: bytes
    gap: bytes
    after: bytes
    rows: int
    size: int
    width: int


class Types(NamedTuple):
    """The type of the numbers in the body, and of the array that is made of them."""

    wire: np.dtype[Any]
    made: np.dtype[Any]


def strided(body: bytes, count: int, careful: Careful) -> npt.NDArray[Any] | None:
    """Return the embeddings of a CBOR body, which need not be finite, as an array that owns its memory.

    Returns None if they are not at a constant stride, or ``careful`` does not find them in their layout.
    """
    key = body.find(_KEY, 0, NEAR)
    head = _BYTES.match(body, key) if key >= 0 else _ARRAY.search(body, 0, NEAR)
    if head is None or not count or (places := _places(body, head, count)) is None:
        return None
    start, _, size, stride, width = places
    last_end = start + (count - 1) * stride + size
    if len(body) - last_end > NEAR:
        return None
    around = body[:start], body[start + size : start + stride], body[last_end:]
    types = types_of(Layout(*around, count, 0 if head[1] == OPEN else size, width), careful)
    return None if types is None else _read(body, places, types)


def _places(body: bytes, head: re.Match[bytes], count: int) -> _Places | None:
    """Return where the embeddings are, if all that is between them is the same, and so are the tags of all numbers."""
    start = head.end()
    width = _WIDTHS[body[start]] if head.re is _ARRAY else 0
    size = _size(body, head, width)
    end, stride = start + size, 0
    if count > 1:
        # The second one is found by its head, with the tag of its first number.
        opening = body[head.start() : start + (1 if width else 0)]
        stride = body.find(opening, end, end + NEAR) - head.start()
    if not size or stride < 0 or start + (count - 1) * stride + size > len(body):
        return None
    gaps = np.ndarray((count - 1, max(0, stride - size)), "u1", body, end, (stride, 1)).tobytes() if count > 1 else b""
    tags = np.ndarray((count, size // width), "u1", body, start, (stride, width)).tobytes() if width else b""
    is_even = gaps == (count - 1) * body[end : start + stride] and tags == len(tags) * body[start : start + 1]
    return _Places(start, count, size, stride, width) if is_even else None


def _size(body: bytes, head: re.Match[bytes], width: int) -> int:
    """Return how many bytes the first embedding takes."""
    if head[1] == OPEN:
        return width * run_of(body, head.end(), width)
    first, *more = head[1]
    return (int.from_bytes(more, "big") if more else first & 0x1F) * (width or 1)


def _read(buffer: Any, places: _Places, types: Types) -> npt.NDArray[Any] | None:
    item, tag = (places.width, 1) if places.width else (types.wire.itemsize, 0)
    found = np.ndarray(
        (places.rows, places.size // item), types.wire, buffer, places.start + tag, (places.stride, item)
    )
    if not places.width:
        return found.astype(types.made)
    # Numpy gathers and reverses doubles twice as fast if it does not convert them in the same pass.
    return made_of(found.astype(types.wire.newbyteorder("=")), types.made)


def made_of(values: npt.NDArray[Any], made: np.dtype[Any]) -> npt.NDArray[Any] | None:
    """Return numbers as an array of a type; None if that is a type of whole numbers, and one is not of it."""
    with np.errstate(over="ignore", invalid="ignore"):
        array = values.astype(made, copy=False)
    return array if made.kind == "f" or (array == values).all() else None


@lru_cache(maxsize=256)
def types_of(layout: Layout, careful: Careful) -> Types | None:
    """Return the types of the numbers, if the careful decoder finds exactly the embeddings that are put in a layout."""
    size = layout.size or 2 * layout.width
    probe = _probe(layout.rows, size, layout.width)
    places = _Places(0, layout.rows, size, size, layout.width)
    try:
        found = careful(layout.before + layout.gap.join(row.tobytes() for row in probe) + layout.after, layout.rows)
    except Exception:  # of any kind: the same decoder is asked for the answer itself, and tells what is wrong with it
        return None
    if layout.width and found.dtype.kind not in "fiu":
        return None
    kind = found.dtype.str[1:]
    for wire in [_NUMBERS[layout.width]] if layout.width else [np.dtype("<" + kind), np.dtype(">" + kind)]:
        types = Types(wire, found.dtype)
        if size % wire.itemsize == 0 or layout.width:
            made = _read(probe, places, types)
            if made is not None and made.shape == found.shape and made.tobytes() == found.tobytes():
                return types
    return None


def _probe(count: int, size: int, width: int) -> npt.NDArray[np.uint8]:
    """Return bytes of embeddings that all differ: numbers with their tags, or bytes that are finite as any type."""
    if not width:
        return np.resize(_DIFFERENT, (count, size))
    items = np.empty((count, size // width, width), "u1")
    items[:, :, 0] = next(tag for tag, wide in _WIDTHS.items() if wide == width)
    # Numbers that each type holds.
    numbers = 1 + np.arange(count * (size // width)) % 97
    items[:, :, 1:] = numbers.astype(_NUMBERS[width]).view("u1").reshape(count, -1, width - 1)
    return items.reshape(count, size)
