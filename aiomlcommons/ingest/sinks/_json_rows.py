"""Documents as JSON, one by one, so that what JSON cannot hold is refused alone."""

from __future__ import annotations

from binascii import b2a_base64
from typing import Any

import numpy as np
import orjson

from aiomlcommons.inference.vectors import Vectors
from aiomlcommons.ingest.json_values import plain
from aiomlcommons.ingest.types import Documents, Refused, Sparse

OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE


def encoded(batch: Documents, field: str, *, base64: bool = False) -> tuple[dict[int, bytes], list[Refused]]:
    """The line of each document by its place in the batch: its row with the vector as ``field``; and the refused.

    In a row NaN and infinity are null, and dates are ISO text; bytes and Decimal are refused, among others.
    With ``base64`` a dense vector is text: its numbers as little-endian float32, one after the other.
    """
    vectors = _plain(batch.vectors, "<f4" if base64 else None)
    lines: dict[int, bytes] = {}
    refused = not_finite(vectors)
    bad = {one.index for one in refused}
    for i, row in enumerate(batch.rows):
        if i in bad:
            continue
        try:
            vector = b2a_base64(vectors[i], newline=False).decode() if base64 else vectors[i]
            lines[i] = orjson.dumps({**row, field: vector}, default=plain, option=OPTIONS)
        except (TypeError, ValueError) as error:
            refused.append(Refused(i, f"cannot be written as JSON: {error}"))
    return lines, refused


def not_finite(vectors: Vectors | Sparse) -> list[Refused]:
    """Documents whose vector holds NaN or infinity, which JSON would turn into null without a word."""
    if isinstance(vectors, list):
        bad: Any = [i for i, weights in enumerate(vectors) if not np.isfinite([*weights.values()]).all()]
    else:
        bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    return [Refused(int(i), "its vector holds NaN or infinity") for i in bad]


def _plain(vectors: Vectors | Sparse, kind: str | None) -> Any:
    """Each row in one piece, of a kind of number, or as orjson takes them: in the machine's byte order."""
    if isinstance(vectors, list):
        return vectors
    with np.errstate(over="ignore"):  # what is too large becomes infinity, which is refused by name
        return np.ascontiguousarray(vectors, kind or vectors.dtype.newbyteorder("="))
