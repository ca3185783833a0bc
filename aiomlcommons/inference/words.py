"""Values of rows as words of a text: which of them are missing, and how the others are written."""

from __future__ import annotations

import datetime as dt
import math
from decimal import Decimal
from numbers import Integral, Real
from typing import Any
from uuid import UUID

from aiomlcommons.deferred import np

# Up to here every whole number has its own float, so that the digits are those of the data.
_WHOLE_FLOATS = 2.0**53
# Digits of a decimal that are written out.
_MOST_DIGITS = 4_000


def is_missing(value: Any) -> bool:
    """Return whether a value is null, NaN (of Python, numpy, Decimal), NaT, or the NA of pandas."""
    if value is None:
        return True
    if isinstance(value, str):
        return False
    if isinstance(value, Decimal):
        return value.is_nan()
    if isinstance(value, Real | np.generic | dt.date | dt.timedelta):
        return bool(value != value)
    return type(value).__name__ == "NAType"  # without an import of pandas


def words(value: Any) -> str | None:
    """Return a value as text, or None if it has none: text, a finite number, a boolean, a date, a time, a UUID."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool | np.bool_):
        return "true" if value else "false"
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, UUID | np.datetime64):
        return str(value)
    return _digits(value)


def _digits(value: Any) -> str | None:
    if isinstance(value, np.timedelta64):
        return None  # although numpy counts it among the integers
    if isinstance(value, Integral):
        return str(int(value))
    if isinstance(value, Decimal):
        if not value.is_finite():
            return None
        # Ten characters may stand for a billion digits.
        return f"{value:f}" if abs(value.adjusted()) < _MOST_DIGITS else str(value)
    if not isinstance(value, float | np.floating) or not math.isfinite(number := float(value)):
        return None
    # A frame holds whole numbers as floats where one of them is missing.
    return str(int(number)) if number.is_integer() and abs(number) <= _WHOLE_FLOATS else str(value)
