"""Vectors as documents hold them, dense and sparse, and how alike two of them are."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import attrs

from aiomlcommons.deferred import np


@attrs.frozen
class Sampled:
    """A document of the sample: its id, its text, and its vector in the new index."""

    id: str
    text: str
    vector: Any


def cosine(one: Any, other: Any) -> float:
    """Return the cosine of two vectors; 0 if they are not of one length."""
    first, second = numbers_of(one), numbers_of(other)
    if isinstance(first, Mapping) or isinstance(second, Mapping):
        return _cosine_of_weights(first, second)
    if first.shape != second.shape:
        return 0.0
    lengths = float(np.linalg.norm(first) * np.linalg.norm(second))
    return float(first @ second) / lengths if lengths else float(np.array_equal(first, second))


def _cosine_of_weights(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    product = sum(weight * other.get(token, 0.0) for token, weight in one.items())
    squares = [sum(weight * weight for weight in weights.values()) for weights in (one, other)]
    lengths = float(squares[0] * squares[1]) ** 0.5
    return product / lengths if lengths else float(one == other)


def numbers_of(vector: Any) -> Any:
    """Return a vector as an array of doubles, or as the weights of tokens that it is."""
    if isinstance(vector, str):  # as the index sink writes it
        return np.frombuffer(base64.b64decode(vector), "<f4").astype(np.float64)
    return vector if isinstance(vector, Mapping) else np.asarray(vector, np.float64)
