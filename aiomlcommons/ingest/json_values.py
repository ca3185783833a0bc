"""JSON that changes no value: numbers of any length stay whole, and what JSON cannot hold is named by its path."""

from __future__ import annotations

import datetime as dt
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeAlias

import numpy as np
import orjson

from aiomlcommons.inference.words import is_missing

# Levels of nesting; orjson writes some more.
DEEPEST = 250
# orjson writes 10 ms of a time as .10000, and none with a zone: dates are not left to it.
_OPTION = orjson.OPT_PASSTHROUGH_DATETIME
# Characters of a path in a message: that of a value nested too deeply has hundreds.
_PATH = 80
# A whole number of so many digits fits into 64 bits.
_DIGITS = 18
_LONG_NUMBER = re.compile(rb"\d{%d,}" % (_DIGITS + 1))
# What stands in for a value that JSON cannot hold, if it does not raise the reason.
_Substitute: TypeAlias = Callable[[Any, "NotJson"], Any]


class NotJson(TypeError):
    """A value that JSON cannot hold; the message names its path, its type and the remedy."""

    def __init__(self, path: str, why: str) -> None:
        shown = path if len(path) <= _PATH else f"{path[:_PATH]}..."
        super().__init__(f"its field {ascii(shown) if not _is_unicode(shown) else repr(shown)} {why}")


def dumped(data: Any, option: int = 0) -> bytes:
    """Return JSON in which no value is changed: whole numbers of any length and Decimals are written digit by digit.

    Dates become ISO text; NaN, infinity and the NA and NaT of pandas become null; arrays and scalars of numpy, UUIDs,
    enums and dataclasses are written as orjson does. ``option`` is that of orjson. Raises NotJson for anything else:
    bytes, sets, keys that are not text, text that is not valid Unicode, more than 250 levels.
    """
    return _dumped(data, option, _refused)


def all_dumped(values: Sequence[Any]) -> list[bytes] | None:
    """Return the JSON of each value as ``dumped`` does, or None if that may fail for some: then try one by one."""
    try:
        return [orjson.dumps(value, _plain, _OPTION) for value in values]
    except TypeError:
        return None


def dumped_anyhow(data: Any, option: int = 0) -> bytes:
    """Return JSON as ``dumped`` does, with text in place of what JSON cannot hold."""
    return _dumped(data, option, lambda value, _: _as_text(value))


def has_long_numbers(data: bytes) -> bool:
    """Return whether JSON may hold whole numbers that only ``loaded`` keeps as they are."""
    return _LONG_NUMBER.search(data) is not None


def loaded(data: bytes) -> Any:
    """Parse strict JSON in UTF-8: whole numbers become ints of any size, other numbers doubles.

    Raises ValueError, which says why, also for a number beyond the range of a double.
    """
    if not has_long_numbers(data):
        return orjson.loads(data)
    # orjson makes a float of a whole number of more than 64 bits, and is stricter otherwise, for example about
    # surrogates. A number loses digits here, and no escape such as \u0041.
    orjson.loads(_LONG_NUMBER.sub(lambda digits: digits[0][:_DIGITS], data))
    try:
        return json.loads(data, parse_float=_finite)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _numbers(vector: Any) -> orjson.Fragment:
    """Return the numbers of a numpy array or scalar as JSON. Raises TypeError for other kinds."""
    return orjson.Fragment(orjson.dumps(vector, option=orjson.OPT_SERIALIZE_NUMPY))


def _dumped(data: Any, option: int, substitute: _Substitute) -> bytes:
    try:
        return orjson.dumps(data, _plain, option | _OPTION)
    except TypeError:
        # orjson neither calls its default for long numbers nor names the place of the trouble.
        return orjson.dumps(_Walk(substitute)(data, "", DEEPEST), _plain, option | _OPTION)


def _plain(value: Any) -> Any:
    """Convert a value of a type that orjson does not know: a ``default`` for it. Raises TypeError if JSON has none."""
    if is_missing(value):
        return None
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, Decimal):
        return orjson.Fragment(str(value)) if value.is_finite() else None
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, np.generic | np.ndarray):
        return _of_numpy(value)
    if type(value).__name__ in {"TimestampScalar", "Time64Scalar"}:
        return _arrow_moment(value)
    raise TypeError(type(value).__name__)


def _of_numpy(value: Any) -> Any:
    if isinstance(value, np.datetime64):  # orjson would drop the nanoseconds
        return str(np.datetime_as_string(value))
    if value.ndim and value.dtype.kind not in "biuf":
        return list(value)
    return _numbers(np.ascontiguousarray(value, value.dtype.newbyteorder("=")) if value.ndim else value[()])


def _arrow_moment(value: Any) -> str:
    """Return a time of pyarrow that Python's types cannot hold as ISO text. Raises TypeError if there is none."""
    text = str(value.cast("string"))
    if text.startswith("<"):  # <value out of range: 100000000000000>
        raise TypeError(text)
    return text.replace(" ", "T")


class _Walk:
    """Rebuilds a value so that orjson takes it; ``substitute`` decides on what JSON cannot hold."""

    def __init__(self, substitute: _Substitute) -> None:
        self._substitute = substitute

    def __call__(self, value: Any, path: str, levels: int) -> Any:
        if isinstance(value, np.ndarray) and value.dtype.kind == "O" and value.ndim:
            value = list(value)
        if not (isinstance(value, Mapping) or type(value) in {list, tuple}):
            return self._leaf(value, path)
        if not levels:
            return self._substitute(value, NotJson(path, f"is nested in more than {DEEPEST} levels: flatten it"))
        if isinstance(value, Mapping):
            return dict(self._items(value, path, levels - 1))
        return [self(item, f"{path}[{i}]", levels - 1) for i, item in enumerate(value)]

    def _items(self, value: Mapping[Any, Any], path: str, levels: int) -> Iterator[tuple[str, Any]]:
        for key, item in value.items():
            inner = f"{path}.{key}" if path else str(key)
            if not isinstance(key, str):
                why = f"has a name of type {_kind(key)}: JSON has only text as names"
            else:
                why = "" if _is_unicode(key) else "has a name with a lone surrogate: it is not valid Unicode"
            name = self._substitute(key, NotJson(inner, why)) if why else str.__str__(key)
            yield name, self(item, inner, levels)

    def _leaf(self, value: Any, path: str) -> Any:
        if isinstance(value, int) and value.bit_length() > 63:
            return self._long(value, path)
        if isinstance(value, str) and not _is_unicode(value):
            return self._substitute(value, NotJson(path, "has a lone surrogate: it is not valid Unicode"))
        try:
            orjson.dumps(value, _plain, _OPTION)
        except TypeError:
            why = f"is of type {_kind(value)}, which JSON cannot hold: {_remedy(value)}"
            return self._substitute(value, NotJson(path, why))
        return value

    def _long(self, value: int, path: str) -> Any:
        try:
            return orjson.Fragment(int.__repr__(value))
        except ValueError:
            return self._substitute(hex(value), NotJson(path, "has more digits than Python writes: make it text"))


def _finite(text: str) -> float:
    if math.isinf(number := float(text)):
        raise ValueError(f"the number {text[:20]}... is beyond the range of a double")
    return number


def _refused(_: Any, why: NotJson) -> Any:
    raise why


def _as_text(value: Any) -> str:
    try:
        text = value if isinstance(value, str) else repr(value)
    except Exception:  # nested too deeply, or a class whose repr fails
        text = f"<{_kind(value)}>"
    return text.encode(errors="backslashreplace").decode()


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _kind(value: Any) -> str:
    kind = type(value)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"


def _remedy(value: Any) -> str:
    if isinstance(value, bytes | bytearray | memoryview):
        return "decode it, or encode it as base64"
    if isinstance(value, set | frozenset):
        return "make it a list"
    if isinstance(value, dt.timedelta | np.timedelta64):
        return "make it a number of seconds"
    return "make it text, a number, a list or a mapping"
