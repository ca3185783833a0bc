"""JSON for values that orjson does not take by itself."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

import orjson


def plain(value: Any) -> str | None:
    """Return a subclass of date or time, such as pandas.Timestamp, in ISO format: a ``default`` for orjson.

    ``pandas.NaT`` becomes null, as NaN does. Raises TypeError for other types.
    """
    if not isinstance(value, dt.date | dt.time):
        raise TypeError(type(value).__name__)
    return value.isoformat() if value == value else None


def dumped(data: Any, option: int = 0, default: Callable[[Any], Any] | None = None) -> bytes:
    """Return JSON, also of texts and keys that orjson refuses; ``option`` and ``default`` are those of orjson."""
    try:
        return orjson.dumps(data, default, option)
    except TypeError:
        return orjson.dumps(_sanitized(data), default, option)


def _sanitized(value: Any) -> Any:
    """Replace what orjson never takes: lone surrogates, integers of more than 64 bits, keys that are no text."""
    if isinstance(value, Mapping):
        return {_sanitized(str(key)): _sanitized(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_sanitized(item) for item in value]
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    return str(value) if isinstance(value, int) and value.bit_length() > 63 else value
