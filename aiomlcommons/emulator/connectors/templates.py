"""Template substitution of ``${parameters.x}`` and ``${credential.x}``, as the server does it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

import orjson

_PLACE = re.compile(r"\$\{(parameters|credential)\.([^}]+?)(?::-([^}]*))?\}")

Values = Mapping[str, Mapping[str, Any]]


def fill(template: str, values: Values, *, in_json: bool = False, as_is: Collection[str] = ()) -> str:
    """Fill the placeholders of a template, also those within values; one without a value stays as it is.

    ``${parameters.x:-y}`` is y where x has no value. ``in_json`` escapes strings for use within a JSON string, except
    the parameters in ``as_is``. Values that are not strings become JSON.
    """

    def place(found: re.Match[str]) -> str:
        group, name, default = found.groups()
        value = values.get(group, {}).get(name)
        if value is None:
            return found[0] if default is None else default
        if not isinstance(value, str):
            return orjson.dumps(value).decode()
        escape = in_json and name not in as_is
        if group == "parameters" and "${" in value:
            value = fill(value, _without(values, group, name), in_json=in_json and not escape, as_is=as_is)
        return _escaped(value) if escape else value

    return _PLACE.sub(place, template)


def open_places(text: str) -> list[str]:
    """Return the parameters whose placeholders are still unfilled."""
    return [found[2] for found in _PLACE.finditer(text) if found[1] == "parameters"]


def _without(values: Values, group: str, name: str) -> Values:
    # Prevents infinite recursion for a value that contains its own placeholder.
    return {**values, group: {key: value for key, value in values[group].items() if key != name}}


def _escaped(text: str) -> str:
    # A list or an object that is already JSON text is inserted as it is.
    if text.lstrip()[:1] in {"[", "{"} and is_json(text):
        return text
    return orjson.dumps(text).decode()[1:-1]


def is_json(text: str) -> bool:
    """Return whether a text is JSON."""
    try:
        orjson.loads(text)
    except ValueError:
        return False
    return True
