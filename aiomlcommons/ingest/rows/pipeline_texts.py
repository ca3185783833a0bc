"""The texts that a pipeline of the server embeds of a row: each of its fields must have one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from aiomlcommons.inference.fields import Row, TextFrom


class PipelineTexts(TextFrom):
    """A callable that extracts the texts of several fields or paths of a row: all of them, one after the other.

    A pipeline takes a text, a list of texts or an object of them. Without any it indexes the document all the same,
    with no vector and no error. ``looks`` tells that one of the first rows of a source must have each field, ``known``
    that the pipeline is known to embed them.

    Raises:
        LookupError, ValueError: On call, if a field is missing or has no text; names it.
        TypeError: On call, if a field holds something else, which the pipeline refuses; names it.
    """

    def __init__(self, fields: Sequence[str], *, looks: bool = True, known: bool = True) -> None:
        super().__init__(fields[0] if len(fields) == 1 else "".join(f"{{{field}}}" for field in fields))
        self.fields, self.looks, self.known = tuple(fields), looks, known

    @property
    def names(self) -> list[str]:
        """The fields and paths that are read."""
        return list(self.fields)

    def __call__(self, row: Row) -> str:
        """Return the texts."""
        return "\n".join(_text(self._value(row, field), field) for field in self.fields)

    def _value(self, row: Row, path: str) -> Any:
        try:
            return super()._value(row, path)
        except LookupError:
            if found := in_lists(row, path):
                return found
            raise

    def __repr__(self) -> str:
        return f"PipelineTexts({list(self.fields)})"


def in_lists(row: Any, path: str) -> list[Any]:
    """Return the values of a path that leads through lists of objects, each of which the pipeline gives its vector."""
    name, _, rest = path.partition(".")
    if not isinstance(row, Mapping) or name not in row:
        return []
    if not rest:
        return [row[name]]
    inner = row[name]
    several = inner if isinstance(inner, list | tuple) else [inner]
    return [value for one in several for value in in_lists(one, rest)]


def _text(value: Any, field: str) -> str:
    if not isinstance(value, str | Mapping | list | tuple):
        raise TypeError(f"its field {field!r} must be a text, or a list of texts, not {type(value).__name__}")
    text = value if isinstance(value, str) else "\n".join(_texts_in(value))
    if not text.strip():
        raise ValueError(f"its field {field!r} has no text, and would be indexed without a vector")
    return text


def _texts_in(value: Any) -> list[str]:
    """Return the texts in a list or an object, whatever else is there: the pipeline judges that."""
    if isinstance(value, str):
        return [value]
    if not isinstance(value, Mapping | list | tuple):
        return []
    return [text for one in (value.values() if isinstance(value, Mapping) else value) for text in _texts_in(one)]
