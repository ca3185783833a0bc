"""Decoding of the predictions of models that do not return dense embeddings."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from functools import partial
from typing import Any, NamedTuple, TypeVar

from aiomlcommons.deferred import np
from aiomlcommons.errors import DecodeError
from aiomlcommons.http import HttpResponse
from aiomlcommons.inference import _raw_answers
from aiomlcommons.inference.vectors import Vectors, outputs, shown
from aiomlcommons.record import Record, record
from aiomlcommons.wire import convert

T = TypeVar("T")
_FLOAT32, _DOUBLE = 3.4028234663852886e38, sys.float_info.max


@record
class Highlight(Record):
    """A sentence that answers a question: ``text`` is ``context[start:end]`` without surrounding whitespace.

    ``position`` is the number of the sentence, from 0. ``start`` and ``end`` are indices of the Python string,
    converted from the server's UTF-16 code units, in which a character such as an emoji counts twice.
    """

    start: int
    end: int
    text: str = ""
    position: int | None = None


class Ranked(NamedTuple):
    """A document that a reranker ranked: ``index`` is its position among the documents that were given."""

    index: int  # type: ignore[assignment]  # it hides the method of a tuple, which finds nothing here
    score: float


def best(scores: Vectors, count: int) -> list[Ranked]:
    """Return the highest scores, the best first; of equal ones the document that was given first."""
    order = np.argsort(-scores, kind="stable")[:count]
    return [Ranked(int(index), float(scores[index])) for index in order]


def sparse_vectors(got: HttpResponse, count: int) -> list[dict[str, float]]:
    """Return the weights of the tokens of each text. Raises DecodeError unless they are finite, of ``count`` texts."""
    found = _read(got, count, _weights)
    for i, weights in enumerate(found):
        for token in _bad_weights(weights):
            words = f"the weight of {token!r} for texts[{i}] must be a finite number, not {shown(weights[token])}"
            raise DecodeError(words, got, i)
    return found


def scores(got: HttpResponse, count: int) -> Vectors:
    """Return the scores of ``count`` documents as float32. Raises DecodeError unless they are finite numbers."""
    found = list(map(_float, _read(got, count, _scores, unwrapped=_raw_answers.scores)))
    for i, score in enumerate(found):
        if not _is_number(score, _FLOAT32):
            raise DecodeError(f"the score of texts[{i}] must be a finite number, not {shown(score)}", got, i)
    return np.array(found, dtype=np.float32)


def highlights(got: HttpResponse, context: str) -> list[Highlight]:
    """Return the highlights in a context. Raises DecodeError."""
    return _read(got, None, partial(_highlights, context))


def answer(got: HttpResponse) -> str:
    """Return the answer of a question-answering model. Raises DecodeError."""
    return _read(got, 1, _results)[0]


def _read(
    got: HttpResponse,
    count: int | None,
    pick: Callable[[Mapping[str, Any]], list[T]],
    *,
    unwrapped: Callable[[Iterable[Mapping[str, Any]]], list[Mapping[str, Any]]] = list,
) -> list[T]:
    """Decode a response with ``pick``, which returns the values of one tensor; verify that there are ``count``."""
    try:
        found = [value for tensor in unwrapped(outputs(got.json())) for value in pick(tensor)]
    except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError) as error:
        raise DecodeError(f"the response is not of this kind of model: {error!r}", got) from None
    if count is not None and len(found) != count:
        raise DecodeError(f"expected {count} results, got {len(found)}", got)
    return found


def _weights(tensor: Mapping[str, Any]) -> list[dict[str, float]]:
    # A local model returns one map per text; a remote one may return all of them in one tensor.
    return [_floats(dict(weights.items())) for weights in tensor["dataAsMap"]["response"]]


def _floats(weights: dict[str, Any]) -> dict[str, float]:
    if Decimal not in map(type, weights.values()):
        return weights
    return {token: _float(weight) for token, weight in weights.items()}


def _float(number: Any) -> Any:
    """Return a number without decimals, which is what CBOR makes of a provider's number of many digits."""
    return float(number) if isinstance(number, Decimal) else number


def _bad_weights(weights: Mapping[str, Any]) -> list[str]:
    """Return the tokens whose weights are not finite numbers; the empty one may be among them."""
    if set(map(type, weights.values())) <= {float} and math.isfinite(sum(weights.values())):
        return []  # fast path for the usual case
    return [token for token, weight in weights.items() if not _is_number(weight, _DOUBLE)]


def _is_number(value: Any, largest: float) -> bool:
    """Return whether a value is a number up to a size, which NaN and infinity are not."""
    return type(value) in {float, int} and abs(value) <= largest


def _scores(tensor: Mapping[str, Any]) -> list[Any]:
    return [tensor["data"][0]]


def _results(tensor: Mapping[str, Any]) -> list[str]:
    return [convert.structure(_raw_answers.result(tensor), str)]


def _highlights(context: str, tensor: Mapping[str, Any]) -> list[Highlight]:
    return [_highlight(context, span) for span in tensor["dataAsMap"]["highlights"]]


def _highlight(context: str, span: Mapping[str, Any]) -> Highlight:
    # The server sends these numbers as floats, a remote model as integers.
    numbers = {key: _as_int(span[key]) for key in ("start", "end", "position") if key in span}
    start, end = _python_span(context, numbers["start"], numbers["end"], span.get("text"))
    if not 0 <= start <= end <= len(context):
        raise ValueError(f"the span from {start} to {end} is not in the context")
    return convert.structure({"text": context[start:end], **span, **numbers, "start": start, "end": end}, Highlight)


def _as_int(number: Any) -> Any:
    return int(number) if isinstance(number, float) and number.is_integer() else number


def _python_span(context: str, start: int, end: int, text: str | None) -> tuple[int, int]:
    """Convert the span of a passage to indices of the Python string.

    A local model counts UTF-16 code units and sends the text, which verifies the conversion. A remote model that is
    written in Python counts code points already.
    """
    units = context.encode("utf-16-le")
    first, last = (len(units[: 2 * offset].decode("utf-16-le", "ignore")) for offset in (start, end))
    is_python = text is None or (context[first:last].strip() != text and context[start:end].strip() == text)
    return (start, end) if is_python else (first, last)
