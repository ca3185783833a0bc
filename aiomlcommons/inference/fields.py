"""What a row says under a field, a path or a template, and rows under other names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from string import Formatter
from typing import Any, TypeAlias

from aiomlcommons.errors import InvalidRequest

Row: TypeAlias = Mapping[str, Any]


class TextFrom:
    """The text of a row: a field (``"title"``), a path (``"meta.title"``), or a template (``"{title} {meta.body}"``).

    In a template ``{{`` and ``}}`` are braces, and numbers are written as text. A field that has a dot in its name
    goes before a path. Raises InvalidRequest for a template that cannot be read; called with a row, LookupError,
    naming the field, where the row does not have it, and TypeError where a template's field is no text or number.
    """

    def __init__(self, spec: str) -> None:
        self.spec = spec
        self._parts = _parsed(spec) if "{" in spec or "}" in spec else None

    def __call__(self, row: Row) -> Any:
        """The value of the field, whatever it is, or the template filled in."""
        if self._parts is None:
            return value_of(row, self.spec)
        return "".join(before + ("" if name is None else _words(row, name)) for before, name in self._parts)

    def __repr__(self) -> str:
        return f"TextFrom({self.spec!r})"


class FieldMap:
    """Rows under other names: ``FieldMap({"text": "{title} {body}", "id": "meta.key"})`` makes rows of these two.

    Each value is what TextFrom takes, and raises as it does.
    """

    def __init__(self, fields: Mapping[str, str]) -> None:
        self._fields = {name: TextFrom(spec) for name, spec in fields.items()}

    def __call__(self, row: Row) -> dict[str, Any]:
        """The new row."""
        return {name: find(row) for name, find in self._fields.items()}

    def __repr__(self) -> str:
        return f"FieldMap({ {name: find.spec for name, find in self._fields.items()} })"


def value_of(row: Any, path: str) -> Any:
    """The value under a field or a dotted path. Raises LookupError, naming it, where there is none."""
    if not isinstance(row, Mapping):
        return row[path]  # a row of a database, a Series: whatever is asked by name
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
        raise InvalidRequest(f"the template {template!r} cannot be read: {error}") from error
    for _, name, spec, conversion in parts:
        if name == "" or spec or conversion:
            raise InvalidRequest(
                f"the template {template!r} may hold names of fields in braces, and nothing else there"
            )
    return [(before, name) for before, name, _, _ in parts]
