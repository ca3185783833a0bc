"""Extraction of fields from rows by name, dotted path or template, and renaming of fields."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from string import Formatter
from typing import Any, TypeAlias

from aiomlcommons.errors import InvalidRequest

Row: TypeAlias = Mapping[str, Any]


class TextFrom:
    """A callable that extracts a row's text by a field, a path or a template.

    That is ``"title"``, ``"meta.title"`` or ``"{title} {meta.body}"``. In a template, ``{{`` and ``}}`` are literal
    braces, and numbers are converted to text. A field with a dot in its name takes precedence over a path.

    Raises:
        InvalidRequest: The template is invalid.
        LookupError: On call, if the row lacks the field; names it.
        TypeError: On call, if a field of a template is neither text nor a number.
    """

    def __init__(self, spec: str) -> None:
        self.spec = spec
        self._parts = _parsed(spec) if "{" in spec or "}" in spec else None

    def __call__(self, row: Row) -> Any:
        """Return the value of the field, of any type, or the formatted template."""
        if self._parts is None:
            return value_of(row, self.spec)
        return "".join(before + ("" if name is None else _words(row, name)) for before, name in self._parts)

    def __repr__(self) -> str:
        return f"TextFrom({self.spec!r})"


class FieldMap:
    """A callable that maps a row to new fields: ``FieldMap({"text": "{title} {body}", "id": "meta.key"})``.

    Each value is a specification for TextFrom, and raises as that does.
    """

    def __init__(self, fields: Mapping[str, str]) -> None:
        self._fields = {name: TextFrom(spec) for name, spec in fields.items()}

    def __call__(self, row: Row) -> dict[str, Any]:
        """Return the new row."""
        return {name: find(row) for name, find in self._fields.items()}

    def __repr__(self) -> str:
        return f"FieldMap({ {name: find.spec for name, find in self._fields.items()} })"


def text_by(name: str | Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return the function that extracts a row's text: a TextFrom, or ``name`` if callable. Raises InvalidRequest."""
    if isinstance(name, str):
        return TextFrom(name)
    if not callable(name):
        raise InvalidRequest(f"text must be a field, a path, a template, or a function of the row, not {name!r}")
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


def _words(row: Row, path: str) -> str:
    found = value_of(row, path)
    if found is None or isinstance(found, bool) or not isinstance(found, str | int | float):
        raise TypeError(f"its field {path!r} must be a text or a number, not {_kind(found)}")
    return str(found)


def _kind(found: Any) -> str:
    return "null" if found is None else type(found).__name__


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
