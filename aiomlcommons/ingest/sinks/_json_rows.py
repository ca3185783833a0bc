"""Encoding documents as JSON: a batch at once, or one by one, so that only those are refused which JSON cannot hold."""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Iterator, Sequence
from itertools import repeat
from operator import contains
from typing import Any

import attrs
import numpy as np
import orjson

from aiomlcommons.inference.vectors import Vectors
from aiomlcommons.ingest.json_values import NotJson, all_dumped, dumped
from aiomlcommons.ingest.types import Refused, Row, Sparse

# Numbers of vectors in a piece of a file, some 75 KB as text. The allocator gives larger blocks back to the system, and
# then each page of the next one takes as long to get as some numbers take to write.
PIECE = 6_000
# Documents with sparse vectors in a piece.
SPARSE = 16
# What follows a vector.
_END = b"}\n"


@attrs.frozen
class Encoded:
    """Documents of a batch as lines, one after the other in ``body``, and those that are refused.

    ``sizes`` are the bytes of each line with its head, ``indices`` those of the documents in the batch.
    """

    body: bytes
    sizes: list[int]
    indices: Sequence[int]
    refused: list[Refused]


def not_json(rows: Sequence[Row], field: str) -> list[Refused]:
    """Return the rows that JSON cannot hold, whatever they have as ``field``, which the vector replaces."""
    rows = [*rows]  # made once, if they are kept as columns
    if all_dumped([rows]) is not None:  # all rows in one call, which takes a fraction of the time
        return []
    refused: list[Refused] = []
    for i, row in enumerate(rows):
        try:
            dumped({**row, field: None})
        except NotJson as error:
            refused.append(Refused(i, str(error)))
    return refused


def encoded(
    rows: Sequence[Row],
    vectors: Vectors | Sparse,
    field: str,
    *,
    base64: bool = False,
    heads: Sequence[bytes] | None = None,
) -> Encoded:
    """Encode documents, each as one line with its vector as ``field``, after its head if there are ``heads``.

    With ``base64`` a dense vector is the base64 text of its little-endian float32 bytes.
    """
    rows = [*rows]
    if not isinstance(vectors, list):
        vectors = _contiguous(vectors, "<f4" if base64 else None)
    infinite = not_finite(vectors)
    texts = _in_base64(vectors) if base64 and not isinstance(vectors, list) else _in_numbers(vectors)
    found = None if infinite else _at_once(rows, field, texts, heads or [b""] * len(rows))
    return found or _one_by_one(rows, field, texts, heads or [b""] * len(rows), infinite)


def encoded_alone(rows: Sequence[Row], heads: Sequence[bytes]) -> Encoded:
    """Encode documents as they are, without vectors, each as one line after its head."""
    rows = [*rows]
    made = all_dumped(rows)
    if made is not None:
        lines = [b"%b%b\n" % pair for pair in zip(heads, made, strict=True)]
        return Encoded(b"".join(lines), [*map(len, lines)], range(len(lines)), [])
    found: dict[int, bytes] = {}
    refused: list[Refused] = []
    for i, row in enumerate(rows):
        try:
            found[i] = heads[i] + dumped({**row}, orjson.OPT_APPEND_NEWLINE)
        except NotJson as error:
            refused.append(Refused(i, str(error)))
    return Encoded(b"".join(found.values()), [*map(len, found.values())], [*found], refused)


def in_pieces(rows: Sequence[Row], vectors: Vectors | Sparse, field: str) -> Iterator[Encoded]:
    """Encode documents for a file, some at a time; the indices are those in the whole batch."""
    step = SPARSE if isinstance(vectors, list) else max(1, PIECE // max(1, vectors.shape[1]))
    for start in range(0, len(rows), step):
        found = encoded(rows[start : start + step], vectors[start : start + step], field)
        refused = [Refused(start + one.index, one.why) for one in found.refused]
        yield Encoded(found.body, found.sizes, [start + i for i in found.indices], refused)


def _at_once(rows: Sequence[Row], field: str, texts: Sequence[bytes], heads: Sequence[bytes]) -> Encoded | None:
    """Encode all documents, the vector added to the text of each row; None unless that is right for all of them."""
    if any(map(contains, rows, repeat(field))):
        return None  # the vector takes the place of what the row has there
    made = all_dumped(rows)
    if made is None or b"{}" in made:
        return None
    name = b"," + orjson.dumps(field) + b":"
    parts = [_END] * (5 * len(made))
    parts[0::5], parts[2::5], parts[3::5] = heads, [name] * len(made), texts
    parts[1::5] = [row[:-1] for row in made]
    more = len(name) + len(_END) - 1
    sizes = [len(head) + len(row) + len(text) + more for head, row, text in zip(heads, made, texts, strict=True)]
    return Encoded(b"".join(parts), sizes, range(len(made)), [])


def _one_by_one(
    rows: Sequence[Row], field: str, texts: Sequence[bytes], heads: Sequence[bytes], refused: list[Refused]
) -> Encoded:
    bad = {one.index for one in refused}
    lines: dict[int, bytes] = {}
    for i, row in enumerate(rows):
        if i in bad:
            continue
        try:
            lines[i] = heads[i] + dumped({**row, field: orjson.Fragment(texts[i])}, orjson.OPT_APPEND_NEWLINE)
        except NotJson as error:
            refused.append(Refused(i, str(error)))
    return Encoded(b"".join(lines.values()), [*map(len, lines.values())], [*lines], refused)


def not_finite(vectors: Vectors | Sparse) -> list[Refused]:
    """Refuse documents whose vector holds NaN or infinity, which JSON would silently turn into null."""
    if isinstance(vectors, list):
        bad: Any = [i for i, weights in enumerate(vectors) if not np.isfinite([*weights.values()]).all()]
    else:
        finite = np.isfinite(vectors)
        bad = () if finite.all() else np.flatnonzero(~finite.all(axis=1))
    return [Refused(int(i), "its vector holds NaN or infinity") for i in bad]


def _in_numbers(vectors: Any) -> list[bytes]:
    """Return contiguous vectors of numpy as arrays of numbers, or sparse ones as objects."""
    return [orjson.dumps(vector, option=orjson.OPT_SERIALIZE_NUMPY) for vector in vectors]


def _in_base64(vectors: Vectors) -> list[bytes]:
    """Return vectors of little-endian float32 as texts of base64."""
    return [b'"%b"' % b2a_base64(vector, newline=False) for vector in vectors]


def _contiguous(vectors: Vectors, kind: str | None) -> Vectors:
    """Make vectors contiguous, of a dtype, by default in the native byte order, which orjson needs."""
    with np.errstate(over="ignore"):  # a value too large for float32 becomes infinity, which is refused
        return np.ascontiguousarray(vectors, kind or vectors.dtype.newbyteorder("="))
