"""Decoding of embeddings in plain Python, number by number: what the quick decoders are compared with."""

from __future__ import annotations

import base64
import math
import struct
from collections.abc import Mapping
from decimal import Decimal
from numbers import Real
from typing import Any

import cbor2
import numpy as np
import orjson

from aiomlcommons.decoding.bounded import LARGEST_RESPONSE
from aiomlcommons.decoding.cbor_walk import check_cbor
from aiomlcommons.http import CBOR, HttpResponse
from aiomlcommons.inference._raw_answers import dense
from tests.fuzzing.answers import STRUCTS, WHOLE

RANGES = {**WHOLE, "INT32": (-(2**31), 2**31 - 1), "INT64": (-(2**63), 2**63 - 1)}


class Refused(Exception):
    """There are no embeddings of so many texts."""


def plain_embeddings(got: HttpResponse, count: int) -> tuple[str, list[list[Any]]]:
    """Return the type and the numbers of the embeddings. Raises Refused."""
    try:
        data = _of_cbor(got.body) if got.content_type == CBOR else orjson.loads(got.body)
        tensors = dense([one for result in data.get("inference_results", ()) for one in result.get("output", ())])
        tensors = [tensor for tensor in tensors if tensor.get("name") == "sentence_embedding"] or tensors
        return _of_tensors(tensors, count)
    except Refused:
        raise
    except Exception as error:  # whatever: there is nothing to compare then
        raise Refused(repr(error)) from None


def _of_cbor(body: bytes) -> Any:
    # What no OpenSearch writes (other tags, keys that are no text) and a damaged answer can have: cbor2 takes it all.
    check_cbor(body, LARGEST_RESPONSE)
    return cbor2.loads(body)


def _of_tensors(tensors: list[Mapping[str, Any]], count: int) -> tuple[str, list[list[Any]]]:
    if len(tensors) != count:
        raise Refused("count")
    if not count:
        return "FLOAT32", []
    kind = tensors[0].get("data_type", "FLOAT32")
    kind = kind if kind in STRUCTS else "FLOAT32"
    if "byte_buffer" in tensors[0]:
        rows = [_of_bytes(tensor["byte_buffer"], kind) for tensor in tensors]
        alike = {(tensor.get("data_type"), tensor["byte_buffer"].get("order") == "BIG_ENDIAN") for tensor in tensors}
        if len(alike) > 1:
            raise Refused("types")
    else:
        rows = [[_of_number(value, kind) for value in _list(tensor["data"])] for tensor in tensors]
    if len(set(map(len, rows))) != 1 or not rows[0]:
        raise Refused("lengths")
    if not all(math.isfinite(number) for row in rows for number in row):
        raise Refused("finite")
    return kind, rows


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise Refused("list")
    return value


def _of_bytes(buffer: Mapping[str, Any], kind: str) -> list[Any]:
    raw = buffer["array"]
    raw = raw if isinstance(raw, bytes) else base64.b64decode(raw, validate=True)
    order, code = ">" if buffer.get("order") == "BIG_ENDIAN" else "<", STRUCTS[kind]
    return list(struct.unpack(f"{order}{len(raw) // struct.calcsize(order + code)}{code}", raw))


def _of_number(value: Any, kind: str) -> Any:
    if not isinstance(value, Real | Decimal):
        raise Refused("number")
    if kind == "BOOLEAN":
        return bool(value)
    if kind in RANGES:
        low, high = RANGES[kind]
        number: Any = value
        if not low <= number <= high or int(number) != number:
            raise Refused("range")
        return int(number)
    with np.errstate(over="ignore"):
        return float(np.float64(float(value)).astype({"FLOAT16": "f2", "FLOAT64": "f8"}.get(kind, "f4")))
