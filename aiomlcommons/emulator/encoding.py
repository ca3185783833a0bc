"""Encoding of response bodies: JSON, or CBOR by content negotiation."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

import cbor2
import numpy as np
import orjson

from aiomlcommons.http import CBOR


def to_json(data: Any, *, pretty: bool = False) -> bytes:
    """Encode as JSON; float32 values have the shortest representation, bytes become base64."""
    options = orjson.OPT_SERIALIZE_NUMPY | (orjson.OPT_INDENT_2 if pretty else 0)
    try:
        return orjson.dumps(data, default=_base64, option=options)
    except TypeError:
        # A whole number beyond 64 bits, which a document may hold.
        return json.dumps(data, default=_plain, ensure_ascii=False, indent=2 if pretty else None).encode()


def _plain(value: Any) -> Any:
    return orjson.loads(orjson.dumps(value, default=_base64, option=orjson.OPT_SERIALIZE_NUMPY))


def _base64(value: Any) -> str:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(f"{type(value).__name__} is not JSON")


def to_cbor(data: Any) -> bytes:
    """Encode as CBOR; a float32 takes four bytes, any other float eight, bytes are byte strings."""
    return cbor2.dumps(data, default=_float32)


def _float32(encoder: cbor2.CBOREncoder, value: Any) -> None:
    if type(value) is np.float32:
        encoder.write(b"\xfa" + value.astype(">f4").tobytes())
    elif hasattr(value, "astype"):
        encoder.write(b"\x9f" + _float32_array(value) + b"\xff")
    else:
        raise cbor2.CBOREncodeTypeError(f"{type(value).__name__} is not CBOR")


def _float32_array(numbers: Any) -> bytes:
    # Each number is the type byte FA and four bytes; vectorized.
    rows = np.empty((len(numbers), 5), np.uint8)
    rows[:, 0] = 0xFA
    rows[:, 1:] = numbers.astype(">f4").view(np.uint8).reshape(-1, 4)
    return rows.tobytes()


def wants_cbor(accept: str) -> bool:
    """Return whether an ``accept`` header asks for CBOR."""
    return accept.partition(";")[0].strip().lower() == CBOR


def java(value: Any) -> str:
    """Return a value of JSON as Java shows it."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}={java(one)}" for key, one in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(java, value)) + "]"
    return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
