"""The vectors of a batch as JSON."""

from __future__ import annotations

from binascii import b2a_base64
from typing import Any

import orjson

from aiomlcommons.inference.vectors import Vectors


def in_numbers(vectors: Any) -> list[bytes]:
    """Return contiguous vectors of numpy as arrays of numbers, or sparse ones as objects."""
    return [orjson.dumps(vector, option=orjson.OPT_SERIALIZE_NUMPY) for vector in vectors]


def in_base64(vectors: Vectors) -> list[bytes]:
    """Return vectors of little-endian float32 as texts of base64."""
    return [b'"%b"' % b2a_base64(vector, newline=False) for vector in vectors]
