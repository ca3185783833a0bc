"""Encoding documents as JSON one by one, so that only those are refused which JSON cannot hold."""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Sequence
from typing import Any

import numpy as np
import orjson

from aiomlcommons.inference.vectors import Vectors
from aiomlcommons.ingest.json_values import NotJson, dumped, numbers
from aiomlcommons.ingest.types import Documents, Refused, Row, Sparse


def not_json(rows: Sequence[Row], field: str) -> list[Refused]:
    """Return the rows that JSON cannot hold, whatever they have as ``field``, which the vector replaces."""
    refused: list[Refused] = []
    for i, row in enumerate(rows):
        try:
            dumped({**row, field: None})
        except NotJson as error:
            refused.append(Refused(i, str(error)))
    return refused


def encoded(batch: Documents, field: str, *, base64: bool = False) -> tuple[dict[int, bytes], list[Refused]]:
    """Return the line of each document by its index in the batch, with the vector as ``field``, and the refused ones.

    With ``base64`` a dense vector is the base64 text of its little-endian float32 bytes.
    """
    vectors = _plain(batch.vectors, "<f4" if base64 else None)
    lines: dict[int, bytes] = {}
    refused = not_finite(vectors)
    bad = {one.index for one in refused}
    for i, row in enumerate(batch.rows):
        if i in bad:
            continue
        try:
            vector = b2a_base64(vectors[i], newline=False).decode() if base64 else numbers(vectors[i])
            lines[i] = dumped({**row, field: vector}, orjson.OPT_APPEND_NEWLINE)
        except NotJson as error:
            refused.append(Refused(i, str(error)))
    return lines, refused


def not_finite(vectors: Vectors | Sparse) -> list[Refused]:
    """Refuse documents whose vector holds NaN or infinity, which JSON would silently turn into null."""
    if isinstance(vectors, list):
        bad: Any = [i for i, weights in enumerate(vectors) if not np.isfinite([*weights.values()]).all()]
    else:
        bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    return [Refused(int(i), "its vector holds NaN or infinity") for i in bad]


def _plain(vectors: Vectors | Sparse, kind: str | None) -> Any:
    """Make vectors contiguous, of a dtype, by default in the native byte order, which orjson needs."""
    if isinstance(vectors, list):
        return vectors
    with np.errstate(over="ignore"):  # a value too large for float32 becomes infinity, which is refused
        return np.ascontiguousarray(vectors, kind or vectors.dtype.newbyteorder("="))
