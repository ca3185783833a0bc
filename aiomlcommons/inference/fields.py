"""Extraction of fields from rows by name, dotted path or template, and renaming of fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from string import Formatter
from typing import Any, TypeAlias

from aiomlcommons.errors import InvalidRequest
from aiomlcommons.inference.words import is_missing, words
from aiomlcommons.typed import typed

Row: TypeAlias = Mapping[str, Any]


class TextFrom:
    """A callable that extracts a row's text by a field, a path or a template.

    That is ``"title"``, ``"meta.title"`` or ``"{title} {meta.body}"``. In a template, ``{{`` and ``}}`` are literal
    braces; numbers are converted to text (whole ones without ``.0``), dates to ISO text, booleans to ``true`` and
    ``false``. A field with a dot in its name takes precedence over a path.

    Null, NaN, NaT and NA are missing values, as is a field that the row lacks. ``default`` is the text that stands for
    them; without one they are an error.

    Raises:
        InvalidRequest: The template or the default is invalid.
        LookupError: On call, if a value is missing; names the field.
        TypeError: On call, if a field of a template is a list, bytes, or another value that is not text; names it.
    """

    def __init__(self, spec: str, default: str | None = None) -> None:
        if not isinstance(spec, str):
            raise TypeError(f"spec must be a field, a path or a template, not {type(spec).__name__}")
        if not isinstance(default, str | None):
            raise InvalidRequest(f"the default of {spec!r} must be a text, not {default!r}")
        self.spec, self.default = spec, default
        self._parts = _parsed(spec) if is_template(spec) else None

    @property
    def names(self) -> list[str]:
        """The fields and paths that are read."""
        return [self.spec] if self._parts is None else [name for _, name in self._parts if name is not None]

    def __call__(self, row: Row) -> Any:
        """Return the value of the field, of any type, or the formatted template."""
        if self._parts is None:
            return self._value(row, self.spec)
        return "".join(before + ("" if name is None else self._words(row, name)) for before, name in self._parts)

    def __repr__(self) -> str:
        return f"TextFrom({self.spec!r}" + ("" if self.default is None else f", default={self.default!r}") + ")"

    def _value(self, row: Row, path: str) -> Any:
        try:
            found = value_of(row, path)
        except LookupError:
            if self.default is None:
                raise
            return self.default
        if not is_missing(found):
            return found
        if self.default is None:
            raise LookupError(f"its field {path!r} is {_kind(found)}, a missing value without a default")
        return self.default

    def _words(self, row: Row, path: str) -> str:
        found = self._value(row, path)
        text = words(found)
        if text is None:
            raise TypeError(f"its field {path!r} must be a text, a number or a date, not {_kind(found)}")
        return text


class FieldMap:
    """A callable that maps a row to new fields: ``FieldMap({"text": "{title} {body}", "id": "meta.key"})``.

    Each value is a field, a path or a template, or a TextFrom, and raises as that does; but the missing value of a
    field or path is kept as it is.
    """

    @typed
    def __init__(self, fields: Mapping[str, str | TextFrom]) -> None:
        self._shown = {name: spec if isinstance(spec, str) else repr(spec) for name, spec in fields.items()}
        self._fields = {name: _mapped_by(spec) for name, spec in fields.items()}

    def __call__(self, row: Row) -> dict[str, Any]:
        """Return the new row."""
        return {name: find(row) for name, find in self._fields.items()}

    def __repr__(self) -> str:
        return f"FieldMap({self._shown})"


def _mapped_by(spec: str | TextFrom) -> Callable[[Row], Any]:
    if isinstance(spec, TextFrom):
        return spec
    return TextFrom(spec) if is_template(spec) else partial(value_of, path=spec)


def is_template(spec: str) -> bool:
    """Return whether a specification of a text is a template, not a field or a path."""
    return "{" in spec or "}" in spec


def text_by(name: str | Callable[[Any], Any], default: str | None = None) -> Callable[[Any], Any]:
    """Return the function that extracts a row's text: a TextFrom, or ``name`` if callable. Raises InvalidRequest."""
    if isinstance(name, str):
        return TextFrom(name, default)
    if not callable(name):
        raise InvalidRequest(f"text must be a field, a path, a template, or a function of the row, not {name!r}")
    if default is not None:
        raise InvalidRequest("text_default is for a field or a template: let the function itself return it")
    return name


def value_of(row: Any, path: str) -> Any:
    """Return the value of a field or dotted path. Raises LookupError, which names it, if there is none."""
    if not isinstance(row, Mapping):
        return row[path]  # a database row, a pandas Series, or another type with access by name
    if path in row:
        return row[path]
    found: Any = row
    for key in path.split("."):
        if not isinstance(found, Mapping) or key not in found:
            raise LookupError(f"it has no field {path!r}")
        found = found[key]
    return found


def has_value(row: Any, path: str) -> bool:
    """Return whether a row has a field or dotted path."""
    try:
        value_of(row, path)
    except LookupError:
        return False
    return True


def with_value(row: Row, path: str, value: Any) -> dict[str, Any]:
    """Return a copy of a row with another value for a field or dotted path."""
    name, dot, rest = path.partition(".")
    if path in row or not dot or not isinstance(row.get(name), Mapping):
        return {**row, path: value}
    return {**row, name: with_value(row[name], rest, value)}


def _kind(found: Any) -> str:
    if found is None:
        return "null"
    return str(found) if is_missing(found) or isinstance(found, float) else type(found).__name__


def _parsed(template: str) -> Sequence[tuple[str, str | None]]:
    try:
        parts = list(Formatter().parse(template))
    except ValueError as error:
        raise InvalidRequest(f"the template {template!r} is invalid: {error}") from error
    for _, name, spec, conversion in parts:
        if name == "" or spec or conversion:
            raise InvalidRequest(
                f"the template {template!r} may have only field names in braces, without format or conversion"
            )
    return [(before, name) for before, name, _, _ in parts]
