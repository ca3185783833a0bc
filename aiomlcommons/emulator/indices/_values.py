"""The values of a field by its type: what a document may hold."""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from aiomlcommons.emulator.encoding import java
from aiomlcommons.emulator.indices._weights import feature, features
from aiomlcommons.emulator.indices.errors import LONGEST_TERM, Unreadable, immense_term
from aiomlcommons.emulator.querying.errors import cause, token_of
from aiomlcommons.emulator.querying.types import FRACTIONS, WHOLE, milliseconds

ILLEGAL = "illegal_argument_exception"
PARSER = "\n at [Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); byte offset: #UNKNOWN]"
JAVA_NAMES = {"integer": "int"}


def read(path: str, spec: Mapping[str, Any], value: Any) -> Any:
    """Return the value as it is kept, vectors as arrays. Raises Unreadable."""
    if value is None:
        return None
    kind = spec["type"]
    if kind == "knn_vector":
        return _vector(path, spec, value)
    if kind in {"rank_features", "sparse_vector"}:
        _each(value, lambda one: features(path, one, kind))
    elif kind == "rank_feature":
        feature(path, value)
    else:
        check = CHECKS[spec.get("raw_field_type", "text") if kind == "semantic" else kind]
        _each(value, lambda one: check(path, spec, one))
    return value


def _each(value: Any, check: Callable[[Any], None]) -> None:
    if isinstance(value, list):
        for item in value:
            _each(item, check)
    elif value is not None:
        check(value)


def _wrong(kind: str, reason: str, value: Any) -> Unreadable:
    return Unreadable(cause(kind, reason), java(value))


def _by_parser(reason: str, value: Any) -> Unreadable:
    why = cause("input_coercion_exception", reason + PARSER)
    return Unreadable({**why, "caused_by": why}, java(value))


# ---- words, truth, dates ---------------------------------------------------------------------------------------------


def _text(_path: str, _spec: Mapping[str, Any], value: Any) -> None:
    if isinstance(value, Mapping):
        raise _wrong("illegal_state_exception", "Can't get text on a START_OBJECT at 1:1", value)


def _keyword(path: str, spec: Mapping[str, Any], value: Any) -> None:
    _text(path, spec, value)
    term = str(value).encode()
    if len(term) > LONGEST_TERM and len(str(value)) <= spec.get("ignore_above", math.inf):
        raise immense_term(path, term)


def _boolean(_path: str, _spec: Mapping[str, Any], value: Any) -> None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise _by_parser("Current token (VALUE_NUMBER_INT) not of boolean type", value)
    if java(value) not in {"true", "false", ""}:
        raise _wrong(ILLEGAL, f"Failed to parse value [{java(value)}] as only [true] or [false] are allowed.", value)


def _date(_path: str, spec: Mapping[str, Any], value: Any) -> None:
    try:
        _moment(value, slashed="format" in spec)
    except ValueError:
        known = spec.get("format", "strict_date_optional_time||epoch_millis")
        why = cause(ILLEGAL, f"failed to parse date field [{java(value)}] with format [{known}]")
        parser = cause("date_time_parse_exception", "Failed to parse with all enclosed parsers")
        raise Unreadable({**why, "caused_by": parser}, java(value)) from None


def _moment(value: Any, *, slashed: bool) -> int:
    text = java(value)
    if isinstance(value, str) and slashed:
        text = text.replace("/", "-").replace(" ", "T")
    if " " in text:
        raise ValueError(text)
    return milliseconds(text)


# ---- numbers ---------------------------------------------------------------------------------------------------------


def _number(_path: str, spec: Mapping[str, Any], value: Any) -> None:
    kind = spec["type"]
    if isinstance(value, bool | Mapping):
        token = "START_OBJECT" if isinstance(value, Mapping) else f"VALUE_{java(value).upper()}"
        raise _by_parser(f"Current token ({token}) not numeric, cannot use numeric value accessors", value)
    if value == "":
        return
    try:
        number = float(value)
    except ValueError:
        said = ILLEGAL if kind == "long" else "number_format_exception"
        raise _wrong(said, f'For input string: "{value}"', value) from None
    _check_range(kind, number, value)


def _check_range(kind: str, number: float, value: Any) -> None:
    if kind in FRACTIONS:
        if math.isinf(_rounded(kind, number)):
            raise _wrong(ILLEGAL, f"[{kind}] supports only finite values, but got [Infinity]", "Infinity")
        return
    most = 2 ** (WHOLE[kind] - 1)
    if -most <= number < most or (isinstance(value, int) and -most <= value < most):
        return
    if isinstance(value, str):
        raise _wrong(ILLEGAL, f"Value [{value}] is out of range for a {kind}", value)
    name = JAVA_NAMES.get(kind, kind)
    raise _by_parser(f"Numeric value ({value}) out of range of `{name}` ({-most} - {most - 1})", value)


def _rounded(kind: str, number: float) -> float:
    with np.errstate(over="ignore"):
        return float(np.float32(number) if kind == "float" else np.float16(number) if kind == "half_float" else number)


# ---- vectors ---------------------------------------------------------------------------------------------------------

ZERO = "zero vector is not supported when space type is [cosinesimil]"
NO_BYTES = "[data_type] field was set as [byte] in index mapping. But, KNN vector values are "


def _vector(path: str, spec: Mapping[str, Any], value: Any) -> Any:
    is_byte = spec.get("data_type", "FLOAT") != "FLOAT"
    if isinstance(value, np.ndarray):
        return value  # it was read before, and this is an update of another field
    if isinstance(value, str):
        vector = _decoded(path, value)
    elif isinstance(value, Mapping):
        vector = np.empty(0, np.float32)
    else:
        vector = _numbers(value if isinstance(value, list) else [value], is_byte=is_byte)
    dimension = int(spec["dimension"]) // (8 if spec.get("data_type") == "BINARY" else 1)
    if len(vector) != dimension:
        preview = value if isinstance(value, Mapping) else None
        raise _wrong(ILLEGAL, f"Vector dimension mismatch. Expected: {dimension}, Given: {len(vector)}", preview)
    if not vector.any() and "cosinesimil" in {spec.get("space_type"), spec.get("method", {}).get("space_type")}:
        raise _wrong(ILLEGAL, ZERO, None)
    return vector


def _numbers(given: list[Any], *, is_byte: bool) -> Any:
    # Most vectors are fine, and numpy says so faster than Python.
    if all(type(one) is float or type(one) is int for one in given):
        with np.errstate(over="ignore"):
            vector = np.asarray(given, np.float64).astype(np.float32)
    else:
        vector = np.asarray([_component(one) for one in given], np.float32)
    if np.isinf(vector).any():
        raise _wrong(ILLEGAL, "KNN vector values cannot be infinity", "Infinity")
    return _bytes(vector, given) if is_byte else vector


def _component(one: Any) -> float:
    if one is None or isinstance(one, bool | list | Mapping):
        token = token_of(one) if isinstance(one, list | Mapping) else f"VALUE_{java(one).upper()}"
        raise _by_parser(f"Current token ({token}) not numeric, cannot use numeric value accessors", one)
    try:
        return float(one)
    except ValueError:
        raise _wrong("number_format_exception", f'For input string: "{one}"', one) from None


def _bytes(vector: Any, given: list[Any]) -> Any:
    for number, one in zip(vector, given, strict=True):
        if number != int(number):
            raise _wrong(ILLEGAL, f"{NO_BYTES}floats instead of byte integers", one)
        if not -128 <= number <= 127:
            raise _wrong(ILLEGAL, f"{NO_BYTES}not within in the byte range [-128, 127]", one)
    return vector.astype(np.int8)


def _decoded(path: str, text: str) -> Any:
    """Return a vector of base64: little-endian float32, as a real 3.8 reads it."""
    try:
        return np.frombuffer(base64.b64decode(text, validate=True), "<f4")
    except (binascii.Error, ValueError) as error:
        why = cause(ILLEGAL, str(error))
        whole = cause(ILLEGAL, f"Invalid base64 encoding for vector field [{path}]: {error}")
        raise Unreadable({**whole, "caused_by": why}, text) from None


CHECKS: Mapping[str, Callable[[str, Mapping[str, Any], Any], None]] = {
    "text": _text,
    "keyword": _keyword,
    "boolean": _boolean,
    "date": _date,
    **dict.fromkeys((*WHOLE, *FRACTIONS), _number),
}
