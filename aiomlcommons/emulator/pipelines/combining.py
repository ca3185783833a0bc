"""The processors of hybrid queries: scores of different queries are made comparable, and one of them.

The server reckons with float32, and so does this.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs
import numpy as np
from numpy.typing import NDArray

from aiomlcommons.emulator.errors import illegal, refused
from aiomlcommons.emulator.pipelines.options import Options, uncastable
from aiomlcommons.emulator.pipelines.searches import Between, Ranked, makes

Scores = NDArray[np.float32]
Normalize = Callable[[Scores, int, int], Scores]
"""Makes the scores of a query comparable with those of others, given its number and how many queries there are."""
Combine = Callable[[Scores, Scores], np.float32]
LEAST = np.float32(0.001)
RANK_CONSTANT, RANK_CONSTANTS = 60, range(1, 10_001)
UNEQUAL = "number of weights [{weights}] must match number of sub-queries [{queries}] in hybrid query"
NO_NORMALIZATION = "provided normalization technique is not supported"
NO_COMBINATION = "provided combination technique is not supported"
NO_PARAMETER = "unrecognized parameters in normalization technique"
NO_WEIGHTS = "provided parameter for combination technique is not supported. supported parameters are [weights]"
SUM = "sum of weights for combination must be equal to 1.0, submitted weights: {weights}"
RANGE = "all weights must be in range [0.0 ... 1.0], submitted weights: {weights}"
UNSUITABLE = (
    "provided combination technique {one} is not supported for normalization technique {other}. Supported techniques "
    "are: {known}"
)
BOUNDS = "expected bounds array to contain {count} elements matching the number of sub-queries, but found a mismatch"
NO_CONSTANT = "rank constant must be in the interval between 1 and 10000, submitted rank constant: {given}"


@makes("between", "normalization-processor")
def normalization(options: Options) -> Between:
    """Normalize scores (``min_max``, ``l2`` or ``z_score``) and combine them by a mean."""
    normalizing, combining = (options.maybe_map(name) or {} for name in ("normalization", "combination"))
    technique = _technique(options, normalizing, "min_max")
    mean = _technique(options, combining, "arithmetic_mean")
    if technique not in NORMALIZATIONS:
        raise options.illegal(NO_NORMALIZATION)
    if mean not in MEANS:
        raise options.illegal(NO_COMBINATION)
    if technique == "z_score" and mean != "arithmetic_mean":
        raise options.illegal(UNSUITABLE.format(one=mean, other=technique, known="arithmetic_mean"))
    normalize = NORMALIZATIONS[technique](options, normalizing.get("parameters") or {})
    return _between(normalize, MEANS[mean], _weights(options, combining))


@makes("between", "score-ranker-processor")
def ranker(options: Options) -> Between:
    """Combine by ranks (reciprocal rank fusion): the score that a query gave counts for its order only."""
    combining = options.maybe_map("combination") or {}
    if combining.get("technique", "rrf") != "rrf":
        raise options.illegal(NO_COMBINATION)
    constant = combining.get("rank_constant", RANK_CONSTANT)
    if not isinstance(constant, int):
        raise options.illegal("parameter [rank_constant] must be an integer")
    if constant not in RANK_CONSTANTS:
        raise options.illegal(NO_CONSTANT.format(given=constant))

    def normalize(scores: Scores, _number: int, _count: int) -> Scores:
        return np.asarray([round(1 / (constant + rank), 10) for rank in range(1, len(scores) + 1)], np.float32)

    return _between(normalize, lambda scores, weights: (scores * weights).sum(), _weights(options, combining))


def _technique(options: Options, given: Mapping[str, Any], default: str) -> str:
    inner = Options(options.kind, dict(given), of_search=True)
    return str(inner.maybe_text("technique", default))


def _weights(options: Options, combining: Mapping[str, Any]) -> list[float]:
    parameters = combining.get("parameters") or {}
    if any(name != "weights" for name in parameters):
        raise options.illegal(NO_WEIGHTS)
    given = parameters.get("weights")
    if given is None:
        return []
    if not isinstance(given, list):
        raise options.illegal("parameter [weights] must be a collection of numbers")
    if unlike := [weight for weight in given if not isinstance(weight, float)]:
        raise uncastable(unlike[0], "java.lang.Double")
    weights = [float(weight) for weight in given]
    shown = f"[{', '.join(map(str, weights))}]"
    if any(not 0 <= weight <= 1 for weight in weights):
        raise options.illegal(RANGE.format(weights=shown))
    if abs(sum(weights) - 1) > 0.01:
        raise options.illegal(SUM.format(weights=shown))
    return weights


def _between(normalize: Normalize, combine: Combine, weights: list[float]) -> Between:
    def combined(ranked: Sequence[Ranked]) -> Mapping[Any, float]:
        if weights and len(weights) != len(ranked):
            raise illegal(UNEQUAL.format(weights=len(weights), queries=len(ranked)))
        by_key: dict[Any, Scores] = {}
        for number, hits in enumerate(ranked):
            given = np.asarray([score for _, score in hits], np.float32)
            scores = normalize(given, number, len(ranked)) if hits else ()
            for (key, _), score in zip(hits, scores, strict=True):
                by_key.setdefault(key, np.zeros(len(ranked), np.float32))[number] = score
        known = np.asarray(weights or [1.0] * len(ranked), np.float32)
        return {key: float(combine(scores, known)) for key, scores in by_key.items()}

    return combined


# ---- normalization ---------------------------------------------------------------------------------------------------


@attrs.frozen
class _Bound:
    """A bound of scores of one query: what is beyond it is cut off (``clip``), or it is where the scale begins."""

    mode: str
    score: np.float32

    @classmethod
    def read(cls, options: Options, given: Mapping[str, Any], name: str, default: float) -> _Bound:
        """Return a bound by its configuration. Raises Refused."""
        if any(key not in {"mode", name} for key in given):
            raise options.illegal(NO_PARAMETER)
        mode = str(given.get("mode", "apply")).lower()
        if mode not in {"apply", "clip", "ignore"}:
            raise options.illegal(f"invalid mode: {mode}, valid values are: apply, clip, ignore")
        try:
            return cls(mode, np.float32(given.get(name, default)))
        except ValueError:
            why = {"type": "number_format_exception", "reason": f'For input string: "{given[name]}"'}
            reason = f"invalid format for {name}: must be a valid float value"
            raise refused(400, "illegal_argument_exception", reason, why) from None


def _min_max(options: Options, parameters: Mapping[str, Any]) -> Normalize:
    if any(name not in {"lower_bounds", "upper_bounds"} for name in parameters):
        raise options.illegal(NO_PARAMETER)
    for key in ("lower_bounds", "upper_bounds"):
        if not isinstance(parameters.get(key, []), list):
            raise options.illegal(f"{key} must be a List")
    lower, upper = (
        [_Bound.read(options, one, name, default) for one in parameters.get(key, ())]
        for key, name, default in (("lower_bounds", "min_score", 0.0), ("upper_bounds", "max_score", 1.0))
    )

    def normalize(scores: Scores, number: int, count: int) -> Scores:
        if any(bounds and len(bounds) != count for bounds in (lower, upper)):
            raise illegal(BOUNDS.format(count=count))
        least, most = scores.min(), scores.max()
        if least == most:
            return np.ones_like(scores)
        pair = [bounds[number] if bounds else None for bounds in (lower, upper)]
        return np.asarray([_scaled(score, least, most, *pair) for score in scores], np.float32)

    return normalize


def _scaled(
    score: np.float32, least: np.float32, most: np.float32, lower: _Bound | None, upper: _Bound | None
) -> np.float32:
    bottom, top = least, most
    if lower is not None and lower.mode == "apply" and most > lower.score and score > lower.score:
        bottom = lower.score
    if lower is not None and lower.mode == "clip" and most >= lower.score:
        bottom = lower.score
    if upper is not None and upper.mode == "apply" and least < upper.score and score < upper.score:
        top = upper.score
    if upper is not None and upper.mode == "clip" and least <= upper.score:
        top = upper.score
    if lower is not None and lower.mode == "clip" and score < bottom:
        return LEAST
    if upper is not None and upper.mode == "clip" and score > top:
        return np.float32(1)
    if bottom == top:
        return np.float32(1)
    return np.float32((score - bottom) / (top - bottom)) or LEAST


def _l2(options: Options, parameters: Mapping[str, Any]) -> Normalize:
    if parameters:
        raise options.illegal(NO_PARAMETER)

    def normalize(scores: Scores, _number: int, _count: int) -> Scores:
        norm = np.float32(np.sqrt((scores * scores).sum()))
        return np.asarray(scores / norm) if norm else np.zeros_like(scores)

    return normalize


def _z_score(_options: Options, _parameters: Mapping[str, Any]) -> Normalize:
    def normalize(scores: Scores, _number: int, _count: int) -> Scores:
        mean = np.float32(scores.mean(dtype=np.float64))
        spread = np.float32(scores.std(dtype=np.float64, ddof=1)) if len(scores) > 1 else np.float32(0)
        if not spread:
            return np.asarray(np.where(scores == mean, scores.max(), scores.min()), np.float32)
        shown = (scores - mean) / spread
        return np.asarray(np.where(scores == mean, scores.max(), np.where(shown <= 0, LEAST, shown)), np.float32)

    return normalize


NORMALIZATIONS: Mapping[str, Callable[[Options, Mapping[str, Any]], Normalize]] = {
    "min_max": _min_max,
    "l2": _l2,
    "z_score": _z_score,
}


# ---- combination -----------------------------------------------------------------------------------------------------


def _arithmetic(scores: Scores, weights: Scores) -> np.float32:
    return np.float32((scores * weights).sum() / weights.sum())


def _geometric(scores: Scores, weights: Scores) -> np.float32:
    there = scores > 0
    if not there.any():
        return np.float32(0)
    return np.float32(np.exp((weights[there] * np.log(scores[there])).sum() / weights[there].sum()))


def _harmonic(scores: Scores, weights: Scores) -> np.float32:
    there = scores > 0
    if not there.any():
        return np.float32(0)
    return np.float32(weights[there].sum() / (weights[there] / scores[there]).sum())


MEANS: Mapping[str, Combine] = {
    "arithmetic_mean": _arithmetic,
    "geometric_mean": _geometric,
    "harmonic_mean": _harmonic,
}
