"""Answers to numpy: the one hot path. No cattrs, no logging, one copy."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from aiomlcommons.errors import DecodeError
from aiomlcommons.http import HttpResponse

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
    """Every tensor of an answer in order, whether a model gives one result for each document or many outputs in one.

    Raises ValueError where the answer is no prediction.
    """
    try:
        return [tensor for result in data.get("inference_results", ()) for tensor in result.get("output", ())]
    except (AttributeError, TypeError):
        raise ValueError("there are no inference_results of outputs in it") from None


def embeddings(got: HttpResponse, count: int) -> Vectors:
    """The dense embeddings of an answer as an array of shape ``(count, dimension)``.

    float32 unless the model says another type; from bytes or numbers, from JSON or CBOR, from a local model or a
    remote one. Raises DecodeError where there are not ``count`` of them, or not all of one length.
    """
    try:
        tensors = outputs(got.json())
        # A model may give further tensors beside the embedding; a remote one may name its only one as it likes.
        named = [tensor for tensor in tensors if tensor.get("name") == DENSE]
        return _stack(named or tensors, count)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise DecodeError(f"no embeddings in the answer: {error}", got) from None


def _stack(tensors: Sequence[Mapping[str, Any]], count: int) -> Vectors:
    if len(tensors) != count:
        raise ValueError(f"{count} texts were sent and {len(tensors)} embeddings came back")
    if count == 0:
        return np.empty((0, 0), "f4")
    first = tensors[0]
    dtype = _DTYPES.get(first.get("data_type", "FLOAT32"), "f4")
    if "byte_buffer" in first:
        flat = np.frombuffer(b"".join(map(_bytes, tensors)), _order(first) + dtype).astype(dtype, copy=False)
        return _rows(flat, count, (len(_bytes(tensor)) for tensor in tensors))
    if "data" not in first:
        raise ValueError(f"the outputs have neither numbers nor bytes but {sorted(first)}; is it an embedding model?")
    return np.array([tensor["data"] for tensor in tensors], dtype)


def _rows(flat: Vectors, count: int, sizes: Iterable[int]) -> Vectors:
    if len(set(sizes)) > 1:
        raise ValueError("the embeddings are not all of one length")
    return flat.reshape(count, -1)


def _order(tensor: Mapping[str, Any]) -> str:
    return ">" if tensor["byte_buffer"].get("order") == "BIG_ENDIAN" else "<"


def _bytes(tensor: Mapping[str, Any]) -> bytes:
    array = tensor["byte_buffer"]["array"]
    # CBOR carries the bytes themselves, JSON carries them as base64.
    return array if isinstance(array, bytes) else base64.b64decode(array, validate=True)
