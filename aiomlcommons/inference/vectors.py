"""Decoding of embeddings to numpy arrays. The hot path of the package: no cattrs, no logging, one copy."""

from __future__ import annotations

import base64
import math
import struct
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import cache
from numbers import Real
from typing import TYPE_CHECKING, Any, TypeAlias

from aiomlcommons.decoding.bounded import TooMuch, decode_cbor
from aiomlcommons.deferred import np
from aiomlcommons.errors import DecodeError, MLCommonsError, ResponseTooLarge
from aiomlcommons.http import CBOR, HttpResponse
from aiomlcommons.inference._raw_answers import dense

if TYPE_CHECKING:
    import numpy.typing as npt

    Vectors: TypeAlias = npt.NDArray[Any]
else:
    Vectors = Any  # numpy is not imported yet

# The careful decoder, asked about a layout, may take so many times the bytes of its body.
_JUDGED = 8
_Quick: TypeAlias = Callable[[bytes, int, Callable[[bytes, int], Vectors]], Vectors | None]
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
# How a struct writes numbers that become one of these types; floats are rounded once, from doubles.
_CODES: Mapping[str, str] = {"f2": "d", "f4": "d", "f8": "d", "i1": "b", "u1": "B", "i4": "i", "i8": "q"}


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
    or holds anything but finite numbers, whose index the error has; ResponseTooLarge if its values are too many.
    """
    try:
        if got.content_type == CBOR and (quick := _quickly(got.body, count)) is not None:
            return _finite(quick)
        return _finite(_of_tensors(got.json(), count))
    except TooMuch as error:
        raise ResponseTooLarge(got.request, got.status, str(error)) from None
    except _BadEmbedding as error:
        raise DecodeError(f"the embedding of texts[{error.index}] {error}", got, error.index) from None
    except (ValueError, TypeError, KeyError, AttributeError, ArithmeticError) as error:
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


def _quickly(body: bytes, count: int) -> Vectors | None:
    for quick in _quick_ways():
        if (array := quick(body, count, _of_cbor)) is not None:
            return array
    return None


@cache
def _quick_ways() -> tuple[_Quick, ...]:
    # They make tables with numpy, which a session without embeddings does not import.
    from aiomlcommons.inference._decimals import with_decimals
    from aiomlcommons.inference._strided import strided
    from aiomlcommons.inference._whole import with_whole

    return strided, with_decimals, with_whole


def _of_cbor(body: bytes, count: int) -> Vectors:
    # What surrounds embeddings is at most as heavy as they are, so that the bound of this decoder need not be that of
    # a session, and what it found of a layout counts for all of them.
    return _of_tensors(decode_cbor(body, _JUDGED * len(body)), count)


def _of_tensors(data: Any, count: int) -> Vectors:
    tensors = dense(outputs(data))
    # A model may return other tensors beside the embedding; a remote one may give its only tensor any name.
    named = [tensor for tensor in tensors if tensor.get("name") == DENSE]
    return _stack(named or tensors, count)


def _stack(tensors: Sequence[Mapping[str, Any]], count: int) -> Vectors:
    if len(tensors) != count:
        raise ValueError(f"{count} texts were sent and {len(tensors)} embeddings came back")
    if count == 0:
        return np.empty((0, 0), "f4")
    first = tensors[0]
    dtype = _DTYPES.get(first.get("data_type", "FLOAT32"), "f4")
    if "byte_buffer" in first:
        _check_alike(tensors)
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
    if (packed := _packed(rows, dtype)) is not None:
        return packed
    for i, row in enumerate(rows):
        for position, value in enumerate(row):
            if not _fits(value, np.dtype(dtype)):
                kind = "number" if dtype.startswith("f") else f"whole number that fits into {np.dtype(dtype)}"
                raise _BadEmbedding(i, f"has {shown(value)} in place of a {kind}, at position {position}")
    plain = bool if dtype == "?" else int
    return np.array([[plain(value) for value in row] for row in rows], dtype)


def _packed(rows: Sequence[Sequence[Any]], dtype: str) -> Vectors | None:
    """Return numbers of lists of one length as an array; None if one is no number, or not of the type.

    A struct takes a fourth of the time that numpy does, which looks at each number twice.
    """
    if (code := _CODES.get(dtype)) is None:
        return None
    row_of = struct.Struct(f"={len(rows[0])}{code}")
    packed = bytearray(len(rows) * row_of.size)
    try:
        for i, row in enumerate(rows):
            row_of.pack_into(packed, i * row_of.size, *row)
    except (struct.error, OverflowError):
        return None
    # JSON has no limits, so that a number may be too large for float32; that one is infinite then.
    with np.errstate(over="ignore"):
        return np.frombuffer(packed, code).reshape(len(rows), -1).astype(dtype, copy=False)


def _fits(value: Any, kind: np.dtype[Any]) -> bool:
    """Return whether a value is a number, and one that a type of whole numbers holds."""
    if not isinstance(value, Real | Decimal):  # CBOR has decimals, and a bool is the number that it is
        return False
    if kind.kind not in "iu":
        return kind.kind == "b" or math.isfinite(value)
    # Compared before it is made an int: a decimal of a few bytes may have a billion digits.
    number: Any = value
    return bool(np.iinfo(kind).min <= number <= np.iinfo(kind).max) and int(number) == number


def shown(value: Any) -> str:
    """Return what stands in place of a number, for a message: a server writes NaN and infinity as strings."""
    try:
        return "null" if value is None else repr(value)[:40]
    except ValueError:  # Python writes no number of more than 4,300 digits
        return "a number of many digits"


def _check_alike(tensors: Sequence[Mapping[str, Any]]) -> None:
    for i, tensor in enumerate(tensors):
        if (tensor.get("data_type"), _order(tensor)) != (tensors[0].get("data_type"), _order(tensors[0])):
            raise _BadEmbedding(i, "has bytes of another type or order than the first")


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
