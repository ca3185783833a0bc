"""Decoding of embeddings to numpy arrays. The hot path of the package: no cattrs, no logging, one copy."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeAlias

from aiomlcommons.deferred import np
from aiomlcommons.errors import DecodeError, MLCommonsError
from aiomlcommons.http import CBOR, HttpResponse
from aiomlcommons.inference._raw_answers import dense

if TYPE_CHECKING:
    import numpy.typing as npt

    Vectors: TypeAlias = npt.NDArray[Any]
else:
    Vectors = Any  # numpy is not imported yet

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
    another type. Raises DecodeError if there are not ``count`` embeddings, or one is empty, differs from most in length
    or holds anything but finite numbers, whose index the error has.
    """
    try:
        if got.content_type == CBOR and (quick := _evenly_spaced(got.body, count)) is not None:
            return _finite(quick)
        tensors = dense(outputs(got.json()))
        # A model may return other tensors beside the embedding; a remote one may give its only tensor any name.
        named = [tensor for tensor in tensors if tensor.get("name") == DENSE]
        return _finite(_stack(named or tensors, count))
    except _BadEmbedding as error:
        raise DecodeError(f"the embedding of texts[{error.index}] {error}", got, error.index) from None
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        raise DecodeError(f"no embeddings in the response: {error}", got) from None


def joined(parts: Sequence[Vectors]) -> Vectors:
    """Return the arrays of several responses as one. Raises MLCommonsError if their vectors differ in length."""
    if len(parts) == 1:
        return parts[0]
    if len(shapes := sorted({part.shape[1:] for part in parts})) > 1:
        lengths = " and ".join(str(shape[0]) for shape in shapes)
        raise MLCommonsError(f"the model gave embeddings of {lengths} numbers to the texts of one call")
    return np.concatenate(parts)


class _BadEmbedding(ValueError):
    """An embedding that is no vector; the message continues "the embedding of texts[3] ..."."""

    def __init__(self, index: int, why: str) -> None:
        super().__init__(why)
        self.index = index


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
        _check_lengths([len(_bytes(tensor)) for tensor in tensors], "bytes")
        return flat.reshape(count, -1)
    if "data" not in first:
        raise ValueError(f"the outputs have neither numbers nor bytes but {sorted(first)}; is it an embedding model?")
    return _numbers([tensor["data"] for tensor in tensors], dtype)


def _numbers(rows: list[Any], dtype: str) -> Vectors:
    for i, row in enumerate(rows):
        if not isinstance(row, list):
            raise _BadEmbedding(i, f"must be a list of numbers, not {type(row).__name__}")
    _check_lengths(list(map(len, rows)), "numbers")
    try:
        # The type that numpy finds tells numbers from strings, which it would convert, and from null.
        found = np.array(rows)
    except ValueError:
        raise _not_numbers(rows) from None
    if found.dtype.kind == "O" and not any(_is_no_number(value) for row in rows for value in row):
        # CBOR has decimals: the server passes on a provider's number of many digits as one.
        found = found.astype("f8")
    if found.ndim != 2 or found.dtype.kind not in "fiub":
        raise _not_numbers(rows)
    # JSON has no limits, so that a number may be too large for float32; of integers numpy refuses those.
    with np.errstate(over="ignore"):
        return found.astype(dtype, copy=False) if dtype.startswith("f") else np.array(rows, dtype)


def _is_no_number(value: Any) -> bool:
    return not isinstance(value, int | float | Decimal)


def _not_numbers(rows: list[Any]) -> ValueError:
    for i, row in enumerate(rows):
        for position, value in enumerate(row):
            if _is_no_number(value):
                # The server writes NaN and infinity as strings.
                shown = "null" if value is None else repr(value)[:40]
                return _BadEmbedding(i, f"has {shown} in place of a number, at position {position}")
    return ValueError("the embeddings are not numbers")


def _check_lengths(lengths: list[int], unit: str) -> None:
    usual, times = Counter(lengths).most_common(1)[0]
    if usual and times == len(lengths):
        return
    odd = next(i for i, length in enumerate(lengths) if length != usual or not length)
    others = f", and the others {usual}" if usual else ""
    raise _BadEmbedding(odd, f"has {lengths[odd]} {unit}{others}")


def _finite(array: Vectors) -> Vectors:
    if array.dtype.kind == "f" and not (finite := np.isfinite(array)).all():
        row, position = (int(number) for number in np.argwhere(~finite)[0])
        raise _BadEmbedding(row, f"has {array[row, position]} in place of a number, at position {position}")
    return array


def _order(tensor: Mapping[str, Any]) -> str:
    return ">" if tensor["byte_buffer"].get("order") == "BIG_ENDIAN" else "<"


def _bytes(tensor: Mapping[str, Any]) -> bytes:
    array = tensor["byte_buffer"]["array"]
    # CBOR has raw bytes, JSON base64 text.
    return array if isinstance(array, bytes) else base64.b64decode(array, validate=True)
