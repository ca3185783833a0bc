"""Queries of weights: features of ``rank_features`` and ``rank_feature`` fields."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from aiomlcommons.emulator.querying.scope import Row, Scope, Scorer, no_row, values

Function = Callable[[float], float]
OF_TOKENS = {"rank_features", "sparse_vector"}
FUNCTIONS = ("saturation", "linear", "log", "sigmoid")
# A weight is stored as a float32 whose mantissa has lost its last bits.
LOST_BITS = 15
# The most that a token of a query weighs.
HEAVIEST = 64.0


def rank_feature(wanted: Any, scope: Scope) -> Scorer:
    """Score documents by a function of a feature."""
    name, boost = wanted["field"], float(wanted.get("boost", 1.0))
    path = _path(scope, name)
    if path is None:
        return no_row
    function = _function(wanted, [weight for row in scope.rows if (weight := _weight(row, path)) is not None])

    def score(row: Row) -> float | None:
        weight = _weight(row, path)
        return None if weight is None else boost * function(weight)

    return score


def neural_sparse(wanted: Any, scope: Scope) -> Scorer:
    """Score documents by the sum of products of weights, with the query's tokens given."""
    ((name, options),) = wanted.items()
    tokens, boost = options.get("query_tokens") or {}, float(options.get("boost", 1.0))
    if scope.fields is not None and ((field := scope.field(name)) is None or field.type not in OF_TOKENS):
        raise scope.refuse("illegal_argument_exception", "[neural_sparse] query only works on [rank_features] fields")
    for weight in tokens.values():
        if not 0 < float(weight) <= HEAVIEST:
            raise scope.refuse("illegal_argument_exception", f"weight must be in (0, 64.0], got: {float(weight)}")
    wanted = ({"field": f"{name}.{token}", "linear": {}, "boost": weight} for token, weight in tokens.items())
    scorers = [rank_feature(one, scope) for one in wanted]

    def score(row: Row) -> float | None:
        found = [score for one in scorers if (score := one(row)) is not None]
        return boost * sum(found) if found else None

    return score


def _path(scope: Scope, name: str) -> str | None:
    """Return the path of a feature, or None if the mapping has no such field."""
    field = scope.field(name)
    parent, _, feature = name.rpartition(".")
    if field is None and parent and (above := scope.field(parent)) is not None and above.type in OF_TOKENS:
        return f"{above.path}.{feature}"
    if field is not None and field.type != "rank_feature":
        only = "[rank_feature] fields and features of [rank_features] fields"
        reason = f"[rank_feature] query only works on {only}, not [{field.type}]"
        raise scope.refuse("illegal_argument_exception", reason)
    return None if field is None else field.path


def _weight(row: Row, path: str) -> float | None:
    found = values(row.source, path)
    return _stored(float(found[0])) if found else None


def _stored(weight: float) -> float:
    return _weight_of(_bits_of(weight))


def _bits_of(weight: float) -> int:
    return int(np.float32(weight).view(np.int32)) >> LOST_BITS


def _weight_of(bits: int) -> float:
    return float(np.int32(bits << LOST_BITS).view(np.float32))


def _function(wanted: Mapping[str, Any], weights: list[float]) -> Function:
    kind = next((name for name in FUNCTIONS if name in wanted), "saturation")
    options = wanted.get(kind) or {}
    if kind == "linear":
        return lambda weight: weight
    if kind == "log":
        return lambda weight: math.log(options["scaling_factor"] + weight)
    pivot = float(options.get("pivot") or _usual(weights))
    if kind == "saturation":
        return lambda weight: weight / (weight + pivot)
    power = float(options["exponent"])
    return lambda weight: weight**power / (weight**power + pivot**power)


def _usual(weights: list[float]) -> float:
    """Return the weight that the server takes for the usual one: that of the mean of the bits that are stored."""
    return _weight_of(int(np.mean([_bits_of(weight) for weight in weights]))) if weights else 1.0
