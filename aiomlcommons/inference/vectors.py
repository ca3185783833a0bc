"""Decoding of embeddings to numpy arrays. The hot path of the package: no cattrs, no logging, one copy."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from aiomlcommons.errors import DecodeError
from aiomlcommons.http import CBOR, HttpResponse

Vectors = npt.NDArray[Any]

DENSE = "sentence_embedding"
_DTYPES: Mapping[str, str] = {
    "FLOAT32": "f4",
    "FLOAT64": "f8",
    "FLOAT16": "f2",
    "INT8": "i1",
    "UINT8": "u1",
    "INT32": "i4",
    "INT64": "i8",
    "BOOLEAN": "?",
    "BINARY": "i1",
    "UBINARY": "u1",
}


def outputs(data: Any) -> list[Mapping[str, Any]]:
    """Return all tensors of a prediction in order, of one result per document or of many outputs in one result.

    Raises ValueError if the data is not a prediction.
    """
    try:
        return [tensor for result in data.get("inference_results", ()) for tensor in result.get("output", ())]
    except (AttributeError, TypeError):
        raise ValueError("it has no inference_results with outputs") from None


def embeddings(got: HttpResponse, count: int) -> Vectors:
    """Decode the dense embeddings of a response to an array of shape ``(count, dimension)``.

    Handles bytes and numbers, JSON and CBOR, local and remote models. The array is float32 unless the model declares
    another type. Raises DecodeError if there are not ``count`` embeddings, or if they differ in length.
    """
    if got.content_type == CBOR and (quick := _evenly_spaced(got.body, count)) is not None:
        return quick
    try:
        tensors = outputs(got.json())
        # A model may return other tensors beside the embedding; a remote one may give its only tensor any name.
        named = [tensor for tensor in tensors if tensor.get("name") == DENSE]
        return _stack(named or tensors, count)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise DecodeError(f"no embeddings in the response: {error}", got) from None


_ARRAY = b"\x65array"
_SIZE_BYTES = {0x58: 1, 0x59: 2, 0x5A: 4}


def _evenly_spaced(body: bytes, count: int) -> Vectors | None:
    """Read float32 vectors that lie in CBOR at a constant stride, as a local model's do: one copy, no decoding.

    Returns None if the body has any other layout, which is left to the general decoder. The stride is the distance of
    the first two vectors; each further vector must have the same CBOR head at its offset, and none may follow the last.
    """
    head = body.find(_ARRAY)
    size_bytes = _SIZE_BYTES.get(body[head + 6]) if 0 <= head < len(body) - 11 else None
    if size_bytes is None or b"gFLOAT32" not in body[:head]:
        return None
    start = head + 7 + size_bytes
    size = int.from_bytes(body[head + 7 : start], "big")
    second = body.find(_ARRAY, start + size)
    stride = second - head if count > 1 else 0
    last_end = start + (count - 1) * stride + size
    if (second < 0) is not (count == 1) or last_end > len(body) or body.find(_ARRAY, last_end) >= 0:
        return None
    heads = np.ndarray((count, start - head), "u1", body, head, (stride, 1)).tobytes()
    if size % 4 or heads != count * body[head:start] or b"mLITTLE_ENDIAN" not in body[start + size : start + size + 22]:
        return None
    # A copy, because a view of the immutable body would be read-only.
    return np.ndarray((count, size // 4), "<f4", body, start, (stride, 4)).copy()


def _stack(tensors: Sequence[Mapping[str, Any]], count: int) -> Vectors:
    if len(tensors) != count:
        raise ValueError(f"{count} texts were sent and {len(tensors)} embeddings came back")
    if count == 0:
        return np.empty((0, 0), "f4")
    first = tensors[0]
    dtype = _DTYPES.get(first.get("data_type", "FLOAT32"), "f4")
    if "byte_buffer" in first:
        # A bytearray, because an array over immutable bytes would be read-only.
        flat = np.frombuffer(bytearray().join(map(_bytes, tensors)), _order(first) + dtype).astype(dtype, copy=False)
        return _rows(flat, count, (len(_bytes(tensor)) for tensor in tensors))
    if "data" not in first:
        raise ValueError(f"the outputs have neither numbers nor bytes but {sorted(first)}; is it an embedding model?")
    array = np.array([tensor["data"] for tensor in tensors], dtype)
    if array.ndim != 2:
        raise ValueError(f"an embedding must be a list of numbers, not of shape {array.shape[1:]}")
    return array


def _rows(flat: Vectors, count: int, sizes: Iterable[int]) -> Vectors:
    if len(set(sizes)) > 1:
        raise ValueError("the embeddings differ in length")
    return flat.reshape(count, -1)


def _order(tensor: Mapping[str, Any]) -> str:
    return ">" if tensor["byte_buffer"].get("order") == "BIG_ENDIAN" else "<"


def _bytes(tensor: Mapping[str, Any]) -> bytes:
    array = tensor["byte_buffer"]["array"]
    # CBOR has raw bytes, JSON base64 text.
    return array if isinstance(array, bytes) else base64.b64decode(array, validate=True)
