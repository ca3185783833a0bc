"""JSON of what JSON has no word for."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any

import orjson


def plain(value: Any) -> str | None:
    """The ``default`` of orjson: a date of a class of its own, such as a pandas Timestamp, as those of Python are.

    What is no time, such as ``pandas.NaT``, is null, as NaN is. Raises TypeError for anything else.
    """
    if not isinstance(value, dt.date | dt.time):
        raise TypeError(type(value).__name__)
    return value.isoformat() if value == value else None


def dumped(data: Any, option: int = 0, default: Callable[[Any], Any] | None = None) -> bytes:
    """JSON, whatever texts and keys are in the data; ``option`` and ``default`` are those of orjson."""
    try:
        return orjson.dumps(data, default, option)
    except TypeError:
        return orjson.dumps(_without_odd(data), default, option)


def _without_odd(value: Any) -> Any:
    """Without what orjson never takes: half a character, a number of more than 64 bits, a key that is a tuple."""
    if isinstance(value, Mapping):
        return {_without_odd(str(key)): _without_odd(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_odd(item) for item in value]
    if isinstance(value, str):
        return value.encode(errors="backslashreplace").decode()
    return str(value) if isinstance(value, int) and value.bit_length() > 63 else value
