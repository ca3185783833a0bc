"""``${parameters.x}`` and ``${credential.x}``, filled in as the server fills them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import orjson

_PLACE = re.compile(r"\$\{(parameters|credential)\.([^}]+)\}")


def fill(template: str, values: Mapping[str, Mapping[str, Any]], *, in_json: bool = False) -> str:
    """A template with its places filled; one without a value stays as it is.

    ``in_json`` escapes text for the inside of a JSON string. What is not text becomes JSON.
    """

    def place(found: re.Match[str]) -> str:
        value = values.get(found[1], {}).get(found[2])
        if value is None:
            return found[0]
        if not isinstance(value, str):
            return orjson.dumps(value).decode()
        return _escaped(value) if in_json else value

    return _PLACE.sub(place, template)


def _escaped(text: str) -> str:
    # A list or an object that arrived as text is put in as it is.
    if text.lstrip()[:1] in {"[", "{"} and is_json(text):
        return text
    return orjson.dumps(text).decode()[1:-1]


def is_json(text: str) -> bool:
    """Whether a text is JSON."""
    try:
        orjson.loads(text)
    except ValueError:
        return False
    return True
