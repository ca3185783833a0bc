"""Pruning of token weights: those that matter are kept, the others dropped or left for a second phase."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from aiomlcommons.emulator.pipelines.options import Options

Weights = Mapping[str, Any]
RATIO = "prune_ratio should be in the range [0, 1)."
RULES: Mapping[str, tuple[Callable[[float], bool], str]] = {
    "top_k": (lambda ratio: ratio > 0 and ratio == int(ratio), "prune_ratio should be positive integer."),
    "max_ratio": (lambda ratio: 0 <= ratio < 1, RATIO),
    "alpha_mass": (lambda ratio: 0 <= ratio < 1, RATIO),
    "abs_value": (lambda ratio: ratio >= 0, "prune_ratio should be non-negative."),
}
UNKNOWN = "Unknown prune type: {kind}"


def pruner(options: Options) -> Callable[[Weights], Weights]:
    """Return what prunes weights as ``prune_type`` and ``prune_ratio`` of a processor say; by default nothing."""
    kind = options.maybe_text("prune_type")
    if kind in {None, "none"}:
        if "prune_ratio" in options.rest:
            raise options.illegal("prune_ratio field is not supported when prune_type is not provided")
        return lambda weights: weights
    ratio = options.number("prune_ratio")
    check(options, str(kind), ratio)
    return lambda weights: split(str(kind), ratio, weights)[0]


def check(options: Options, kind: str, ratio: float) -> None:
    """Raise Refused for a kind of pruning that the server does not know, or a ratio that it cannot have."""
    if kind not in RULES:
        raise options.illegal(UNKNOWN.format(kind=kind))
    is_valid, words = RULES[kind]
    if not is_valid(ratio):
        raise options.illegal(f"Illegal prune_ratio {ratio:.6f} for prune_type: {kind}. {words}")


def split(kind: str, ratio: float, weights: Weights) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the weights that matter, and the others."""
    ranked = sorted(weights.items(), key=lambda item: -item[1])
    if kind == "top_k":
        count = int(ratio)
    elif kind == "alpha_mass":
        count = _mass([float(weight) for _, weight in ranked], ratio)
    else:
        least = ratio * float(ranked[0][1]) if kind == "max_ratio" and ranked else ratio
        count = sum(weight >= least for _, weight in ranked)
    return dict(ranked[:count]), dict(ranked[count:])


def _mass(weights: list[float], ratio: float) -> int:
    """Return how many of the largest weights are within a share of their sum."""
    whole, so_far = sum(weights), 0.0
    for count, weight in enumerate(weights):
        so_far += weight
        if so_far > ratio * whole:
            return count
    return len(weights)
