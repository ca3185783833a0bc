"""Answers to bytes: JSON, or CBOR where it is asked for."""

from __future__ import annotations

import base64
from typing import Any

import cbor2
import numpy as np
import orjson

from aiomlcommons.http import CBOR


def to_json(data: Any, *, pretty: bool = False) -> bytes:
    """JSON; float32 numbers are written as short as they can be, bytes as base64."""
    options = orjson.OPT_SERIALIZE_NUMPY | (orjson.OPT_INDENT_2 if pretty else 0)
    return orjson.dumps(data, default=_base64, option=options)


def _base64(value: Any) -> str:
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    raise TypeError(f"{type(value).__name__} is not JSON")


def to_cbor(data: Any) -> bytes:
    """CBOR; float32 numbers take four bytes, other numbers eight, bytes are themselves."""
    return cbor2.dumps(data, default=_float32)


def _float32(encoder: cbor2.CBOREncoder, value: Any) -> None:
    if type(value) is np.float32:
        encoder.write(b"\xfa" + value.astype(">f4").tobytes())
    elif hasattr(value, "astype"):
        encoder.write(b"\x9f" + _marked(value) + b"\xff")
    else:
        raise cbor2.CBOREncodeTypeError(f"{type(value).__name__} is not CBOR")


def _marked(numbers: Any) -> bytes:
    # Each number is its mark, fa, and four bytes; written for all of them at once.
    rows = np.empty((len(numbers), 5), np.uint8)
    rows[:, 0] = 0xFA
    rows[:, 1:] = numbers.astype(">f4").view(np.uint8).reshape(-1, 4)
    return rows.tobytes()


def wants_cbor(accept: str) -> bool:
    """Whether an ``accept`` header asks for CBOR."""
    return accept.partition(";")[0].strip().lower() == CBOR
