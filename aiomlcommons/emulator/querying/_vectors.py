"""The k-NN query: the nearest vectors, exactly, with the scores of the k-NN plugin."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from aiomlcommons.emulator.errors import illegal, refused
from aiomlcommons.emulator.querying.errors import WINDOW, cause, not_emulated, unreadable
from aiomlcommons.emulator.querying.scope import Field, Row, Scope, Scorer, values

Compile = Callable[[Any, Scope], Scorer]
Numbers = NDArray[np.float64]
NAME = "[knn]"
IN_LISTS = "expand_nested_docs"
LIMITS = ("k", "max_distance", "min_score")
OPTIONS = {*LIMITS, "vector", "filter", "boost", "method_parameters", "ignore_unmapped", "rescore", "_name", IN_LISTS}
NEGATIVE = f"{NAME} requires distance to be non-negative for space type: L2"
NOT_NESTED = f"Invalid value provided for the [{IN_LISTS}] field. [{IN_LISTS}] is only supported with a nested field."
ZERO = "zero vector is not supported when space type is [cosinesimil]"


def knn(wanted: Any, scope: Scope, compiled: Compile) -> Scorer:
    """Match the ``k`` nearest vectors, or those within a distance or above a score, among those that a filter takes."""
    if not wanted:
        raise illegal(f"{NAME} field 'vector' requires to be non-null and non-empty")
    ((name, given),) = wanted.items()
    options = {option: _number(value) if option in LIMITS else value for option, value in given.items()}
    vector, limit = _vector(options), _limit(options)
    field = (scope.fields or {}).get(name)
    if field is None or field.type != "knn_vector":
        raise scope.refuse("illegal_argument_exception", f"Field '{name}' is not knn_vector type.")
    if not scope.is_knn:
        raise scope.refuse("illegal_argument_exception", f"Field '{name}' is not built for ANN search.")
    _check(scope, field, vector)
    if options.get(IN_LISTS) and not scope.parents:
        raise scope.refuse("illegal_argument_exception", NOT_NESTED)
    rows = _rows(scope, field, options.get("filter"), compiled)
    found = _scores({row.id: values(row.source, field.path) for row in rows}, vector, space_of(field.spec))
    if limit == "max_distance" and options[limit] < 0 and space_of(field.spec) == "l2":
        raise scope.refuse("illegal_argument_exception", NEGATIVE)
    nearest = _nearest(scope, found, limit, options[limit], space_of(field.spec))
    boost = float(options.get("boost", 1.0))
    return lambda row: boost * nearest[row.id] if row.id in nearest else None


def _rows(scope: Scope, field: Field, wanted: Any, compiled: Compile) -> list[Row]:
    """Return the rows whose vectors are looked at. A filter is one of documents, also where the rows are of these."""
    if not scope.parents and scope.is_nested(field.path):
        return []
    if wanted is None:
        return list(scope.rows)
    keeps = compiled(wanted, attrs.evolve(scope, rows=scope.documents or scope.rows, parents={}, texts={}))
    taken = {row.id for row in scope.documents or scope.rows if keeps(row) is not None}
    return [row for row in scope.rows if scope.parents.get(row.id, row.id) in taken]


def _vector(options: Mapping[str, Any]) -> Numbers:
    for name in options:
        if name not in OPTIONS:
            raise unreadable(f"{NAME} unknown field [{name}]")
    if not options.get("vector"):
        raise illegal(f"{NAME} requires query vector")
    try:
        return np.asarray([float(number) for number in options["vector"]])
    except ValueError:
        bad = next(number for number in options["vector"] if isinstance(number, str))
        why = cause("number_format_exception", f'For input string: "{bad}"')
        raise unreadable(f"{NAME} failed to parse field [vector]", why) from None


def _number(value: Any) -> Any:
    """Return a number that may be given as a text."""
    if not isinstance(value, str):
        return value
    try:
        return float(value)
    except ValueError:
        raise refused(400, "number_format_exception", f'For input string: "{value}"') from None


def _limit(options: Mapping[str, Any]) -> str:
    given = [name for name in LIMITS if name in options]
    if len(given) != 1:
        raise illegal(f"{NAME} requires exactly one of k, distance or score to be set")
    if given == ["min_score"] and options["min_score"] <= 0:
        raise illegal(f"{NAME} requires minScore to be greater than 0")
    if given == ["k"] and not 0 < options["k"] <= WINDOW:
        raise illegal(f"{NAME} requires k to be in the range (0, {WINDOW}]")
    return given[0]


def _check(scope: Scope, field: Field, vector: Numbers) -> None:
    dimension = int(field.spec["dimension"])
    if len(vector) != dimension:
        reason = f"Query vector has invalid dimension: {len(vector)}. Dimension should be: {dimension}"
        raise scope.refuse("illegal_argument_exception", reason)
    if space_of(field.spec) == "cosinesimil" and not vector.any():
        raise scope.refuse("illegal_argument_exception", ZERO)


def space_of(spec: Mapping[str, Any]) -> str:
    """Return the space of a field of vectors: how their distance is measured."""
    return str(spec.get("method", {}).get("space_type") or spec.get("space_type") or "l2")


def _scores(vectors: Mapping[str, list[Any]], query: Numbers, space: str) -> Mapping[str, float]:
    """Return the score of each row that has a vector."""
    keys = [key for key, found in vectors.items() if found]
    if not keys:
        return {}
    every = np.stack([np.asarray(vectors[key][0], np.float64) for key in keys])
    return dict(zip(keys, _score(every, query, space).astype(np.float32).tolist(), strict=True))


def _score(every: Numbers, query: Numbers, space: str) -> Numbers:
    if space == "l2":
        return np.asarray(1 / (1 + ((every - query) ** 2).sum(1)))
    products = every @ query
    if space == "cosinesimil":
        return np.asarray((1 + products / (np.linalg.norm(every, axis=1) * np.linalg.norm(query))) / 2)
    if space == "innerproduct":
        return np.where(products >= 0, 1 + products, 1 / (1 - np.minimum(products, 0)))
    raise not_emulated(f"space [{space}]")


def _nearest(scope: Scope, scores: Mapping[str, float], limit: str, bound: float, space: str) -> Mapping[str, float]:
    if limit == "k":
        return _first(scope, sorted(scores.items(), key=lambda item: -item[1]), int(bound))
    least = bound if limit == "min_score" else _score_at(bound, space)
    return {key: score for key, score in scores.items() if score >= least}


def _first(scope: Scope, ranked: Sequence[tuple[str, float]], k: int) -> Mapping[str, float]:
    """Return the first ``k``; of objects within documents, those of the first ``k`` documents, the best of each."""
    best: dict[str, tuple[str, float]] = {}
    for key, score in ranked:
        best.setdefault(scope.parents.get(key, key), (key, score))
    return dict([*best.values()][:k])


def _score_at(distance: float, space: str) -> float:
    if space == "cosinesimil":
        return (2 - distance) / 2
    if space == "innerproduct":
        return 1 - distance if distance <= 0 else 1 / (1 + distance)
    return 1 / (1 + distance)
