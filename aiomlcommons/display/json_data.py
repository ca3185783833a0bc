"""Plain JSON data of any value: what ``to_dict`` and ``to_json`` give."""

from __future__ import annotations

import base64
import datetime as dt
import json
import math
from collections.abc import Collection, Mapping
from decimal import Decimal
from enum import Enum
from typing import Any

# Digits of an integer that a decimal becomes.
LONGEST = 4_000


def plain(value: Any) -> Any:
    """Return a value as dicts, lists, strings, numbers, booleans and None.

    Arrays and scalars of numpy become numbers, enums their value, bytes base64 text as in the JSON of the server, times
    ISO 8601 text, NaN and infinity None; keys become text, sets lists, and values of any other type their ``str``.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {_key(key): plain(part) for key, part in value.items()}
    return _other(value)


def _other(value: Any) -> Any:
    if isinstance(value, bytes | bytearray | memoryview):
        return base64.b64encode(value).decode()
    if isinstance(value, dt.date | dt.time):
        return value.isoformat() if value == value else None  # unequal is NaT of pandas
    if isinstance(value, Decimal):
        return plain(int(value) if _is_whole(value) else float(value))
    if callable(tolist := getattr(value, "tolist", None)):
        return plain(tolist())
    return [plain(part) for part in value] if isinstance(value, Collection) else str(value)


def _is_whole(value: Decimal) -> bool:
    # Ten characters may stand for an integer of a billion digits, which takes minutes to make.
    return value.is_finite() and value.adjusted() < LONGEST and value == value.to_integral_value()


def _key(key: Any) -> str:
    made = plain(key)
    return made if isinstance(made, str) else json.dumps(made)


def dumped(data: Any, *, indent: bool) -> str:
    """Return plain data as JSON text, indented by two spaces if ``indent``; characters are escaped only if invalid."""
    separators = None if indent else (",", ":")
    text = json.dumps(data, ensure_ascii=False, indent=2 if indent else None, separators=separators)
    # Half of an emoji (a lone surrogate) cannot be printed or encoded.
    return text if not any("\ud800" <= c <= "\udfff" for c in text) else json.dumps(data, indent=2 if indent else None)
