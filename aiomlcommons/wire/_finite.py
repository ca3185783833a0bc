"""Numbers that JSON does not have, NaN and infinity, which an encoder would send as null."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import isfinite
from typing import Any


def not_finite(value: Any, path: str = "$") -> Iterator[str]:
    """Yield a problem for each number in wire data that is not finite, with its path."""
    if isinstance(value, float):
        if not isfinite(value):
            yield f"expected a finite number, got {value} @ {path}"
    elif isinstance(value, Mapping):
        for key, part in value.items():
            yield from not_finite(part, f"{path}.{key}")
    elif isinstance(value, list | tuple) and not _are_finite(value):
        for index, part in enumerate(value):
            yield from not_finite(part, f"{path}[{index}]")


def _are_finite(values: list[Any] | tuple[Any, ...]) -> bool:
    """Return whether values are texts or finite numbers, as far as a quick look tells: vectors are long."""
    kinds = set(map(type, values))
    try:
        return kinds <= {str} or (kinds <= {float, int} and isfinite(sum(values)))
    except OverflowError:  # a whole number beyond those of floats
        return False
