"""As much of JSONPath as filters of agents and tools need: names and numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_STEP = re.compile(r"\.?([^.\[\]]+)|\[(?:'([^']*)'|\"([^\"]*)\"|(\d+))\]")


def look_up(value: Any, path: str) -> Any:
    """What is at ``$.choices[0].message``; None where there is nothing."""
    for found in _STEP.finditer(path.removeprefix("$")):
        name, number = found[1] or found[2] or found[3], found[4]
        if number is not None:
            value = value[int(number)] if isinstance(value, list) and int(number) < len(value) else None
        else:
            value = value.get(name) if isinstance(value, Mapping) else None
    return value
