"""The values of fields by the type in the mapping: how a query reads and compares them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Any

from aiomlcommons.emulator.querying.errors import not_emulated
from aiomlcommons.emulator.querying.scope import Field, Scope

WHOLE: Mapping[str, int] = {"byte": 8, "short": 16, "integer": 32, "long": 64}
"""The types of whole numbers, with their bits."""
FRACTIONS = {"half_float", "float", "double", "scaled_float"}
NUMBERS = {*WHOLE, *FRACTIONS}
WORDS = {"keyword", "constant_keyword", "ip"}


def comparable(scope: Scope, field: Field, value: Any) -> Any:
    """Return a value of a query, or of a document, so that it compares with others of its field.

    Raises Refused where the value is none of the field's type.
    """
    if field.type == "_seq_no":
        return _whole(scope, value)
    if field.type in NUMBERS:
        return _number(scope, value)
    if field.type == "date":
        return _moment(scope, value)
    if field.type == "boolean":
        return str(value).lower()
    return str(value) if field.type in WORDS else value


def _whole(scope: Scope, value: Any) -> int:
    number = _number(scope, value)
    if number != int(number):
        raise scope.refuse("illegal_argument_exception", f"Value [{value}] has a decimal part")
    return int(number)


def _number(scope: Scope, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise scope.refuse("number_format_exception", f'For input string: "{value}"') from None


def _moment(scope: Scope, value: Any) -> float:
    if value == "now":
        return scope.now
    if isinstance(value, str) and (value.startswith("now") or "||" in value):
        raise not_emulated(f"date math: {value}")
    try:
        return milliseconds(value)
    except ValueError:
        why = f"failed to parse date field [{value}] with format [strict_date_optional_time||epoch_millis]"
        raise scope.refuse("parse_exception", why) from None


def milliseconds(value: Any) -> int:
    """Return a date as epoch milliseconds, from ISO 8601 or from those. Raises ValueError for another text."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return int(value)
    text = str(value)
    if text.lstrip("-").isdigit() and len(text) > 4:
        return int(text)
    parsed = datetime.fromisoformat(text) if len(text) > 10 else datetime.combine(_day(text), datetime.min.time())
    return round((parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp() * 1000)


def _day(text: str) -> date:
    """Return a day; month and day may be left out."""
    year, month, day = (*text.split("-"), "1", "1")[:3]
    return date(int(year), int(month), int(day))
