"""A subset of JSONPath for the filters of agents and tools: names and array indices."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_STEP = re.compile(r"\.?([^.\[\]]+)|\[(?:'([^']*)'|\"([^\"]*)\"|(\d+))\]")


def look_up(value: Any, path: str) -> Any:
    """Return the value at a path such as ``$.choices[0].message``, or None."""
    for found in _STEP.finditer(path.removeprefix("$")):
        name, number = found[1] or found[2] or found[3], found[4]
        if number is not None:
            value = value[int(number)] if isinstance(value, list) and int(number) < len(value) else None
        else:
            value = value.get(name) if isinstance(value, Mapping) else None
    return value
