"""The types of settings, and parsing of text to them."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeAlias

import orjson

from aiomlcommons.record import NULL, Null

Flag: TypeAlias = bool | Null | None
Number: TypeAlias = int | Null | None
Ratio: TypeAlias = float | Null | None
Text: TypeAlias = str | Null | None
Texts: TypeAlias = list[str] | Null | None


def read(value: Any, declared: Any) -> Any:
    """Convert a value, which may be text, to the type of a setting; raises ValueError, which names the type."""
    return value if value is NULL else _READERS[declared](value)


def kept(value: Any, declared: Any) -> Any:
    """Convert a value of the cluster to the type of its setting, or return it unchanged if that is impossible."""
    try:
        return read(value, declared)
    except ValueError:
        return value


def _flag(value: Any) -> bool:
    word = str(value).lower()
    if word not in {"true", "false"}:
        raise ValueError("true or false")
    return word == "true"


def _whole(value: Any) -> int:
    number = _number(value)
    if number != int(number):
        raise ValueError("a whole number")
    return int(number)


def _ratio(value: Any) -> float:
    return float(_number(value))


def _number(value: Any) -> int | float:
    value = _parsed(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("a number")
    return value


def _text(value: Any) -> str:
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        return str(value)
    raise ValueError("text")


def _texts(value: Any) -> list[str]:
    found = _parsed(value) if isinstance(value, str) and value.startswith("[") else value
    if isinstance(found, str):
        # A single item: most of these settings hold regular expressions, which may contain commas.
        return [found]
    if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
        raise ValueError("a list of text")
    return found


def _parsed(value: Any) -> Any:
    with suppress(ValueError):
        return orjson.loads(value) if isinstance(value, str) else value
    return value


_READERS: dict[Any, Callable[[Any], Any]] = {Flag: _flag, Number: _whole, Ratio: _ratio, Text: _text, Texts: _texts}
