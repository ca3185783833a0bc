"""A subset of JSONPath, for agents, tools and processors: names, array indices, and ``*`` for all of a list."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_STEP = re.compile(r"\.?([^.\[\]]+)|\[(?:'([^']*)'|\"([^\"]*)\"|(\d+|\*))\]")


def look_up(value: Any, path: str) -> Any:
    """Return the value at a path such as ``$.choices[0].message``, or None; with ``*`` a list of values."""
    return _look_up(value, _steps(path))


def put(value: Any, path: str, new: Any) -> bool:
    """Replace the value at a path without ``*``; return whether there was one to replace."""
    *above, last = _steps(path) or [""]
    node = _look_up(value, above)
    if isinstance(node, dict) and last in node:
        node[last] = new
        return True
    if isinstance(node, list) and isinstance(last, int) and last < len(node):
        node[last] = new
        return True
    return False


def _steps(path: str) -> list[str | int]:
    steps: list[str | int] = []
    for found in _STEP.finditer(path.removeprefix("$")):
        number = found[4]
        if number is not None and number != "*":
            steps.append(int(number))
        else:
            steps.append(number or found[1] or found[2] or found[3])
    return steps


def _look_up(value: Any, steps: list[str | int]) -> Any:
    for place, step in enumerate(steps):
        if step == "*":
            every = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
            found = [_look_up(one, steps[place + 1 :]) for one in every]
            return [one for one in found if one is not None]
        if isinstance(step, int):
            value = value[step] if isinstance(value, list) and step < len(value) else None
        else:
            value = value.get(step) if isinstance(value, Mapping) else None
    return value
