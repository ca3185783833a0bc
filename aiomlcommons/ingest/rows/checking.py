"""Row validation: extract id and text, or the reason why the row is not a document."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from operator import index
from typing import Any, TypeAlias
from uuid import UUID

import attrs

from aiomlcommons.errors import InvalidRequest
from aiomlcommons.inference.fields import has_value, text_by, value_of
from aiomlcommons.ingest.types import BadRow, Chunk, Row, TextRow

TextOf: TypeAlias = Callable[[Row], Any]
IdOf: TypeAlias = Callable[[Row, int], Any]


@attrs.frozen
class CheckedRow:
    """Row ``number`` with its id and text; ``why`` is the reason why it is not a document, or empty."""

    number: int
    row: Row | BadRow
    id: str
    text: str
    why: str


@attrs.frozen
class RowChecker:
    """Extracts and validates id and text of rows; a text longer than ``max_chars`` characters is invalid."""

    text_of: TextOf
    id_of: IdOf
    max_chars: int | None = None

    @classmethod
    def of(
        cls,
        text: str | Callable[[Row], Any],
        id: str | Callable[[Row], Any] | None,
        max_chars: int | None,
        *,
        numbers: bool = False,
    ) -> RowChecker:
        """Return a checker for fields, templates or functions, as ``ml.ingest`` takes them. Raises InvalidRequest.

        ``numbers`` gives rows without the field of the id their number.
        """
        return cls(text_by(text), id_by(id, numbers=numbers), max_chars)

    def __call__(self, number: int, row: Row | BadRow) -> CheckedRow:
        """Return the row with id and text. An invalid row does not raise: its ``why`` becomes a dead letter."""
        if isinstance(row, BadRow):
            return CheckedRow(number, row, "", "", f"{row.where}: {row.why}")
        key = ""
        try:
            key = _id(row.id if isinstance(row, Chunk) else self.id_of(row, number))
            text = row.text if isinstance(row, Chunk) else self.text_of(row)
            return CheckedRow(number, row, key, self._text(text), "")
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            # str() of a KeyError is the bare key.
            why = repr(error) if isinstance(error, KeyError) else str(error) or repr(error)
            return CheckedRow(number, row, key, "", why)

    def _text(self, text: Any) -> str:
        if not isinstance(text, str):
            raise TypeError(f"its text must be a string, not {type(text).__name__}")
        if not text.strip():
            raise ValueError("its text is empty")
        if self.max_chars is not None and len(text) > self.max_chars:
            raise ValueError(f"its text has {len(text):,} characters, more than max_chars={self.max_chars:,}")
        _check_unicode("text", text)
        return text


def _id(key: Any) -> str:
    if isinstance(key, UUID):
        key = str(key)
    if not isinstance(key, str):
        key = _whole_number(key)
    if key == "":
        raise TypeError("its id must be text or a whole number, not ''")
    _check_unicode("id", key)
    return str(key)


def _whole_number(key: Any) -> str:
    try:
        if not isinstance(key, bool):
            return str(index(key))  # accepts the integers of any library, such as numpy
    except TypeError:
        pass
    raise TypeError(f"its id must be text or a whole number, not {key!r}")


def _check_unicode(name: str, text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"its {name} has a lone surrogate at character {error.start}: not valid Unicode") from None


def by_field(name: str) -> Callable[[Row], Any]:
    """Return a function that reads a field or a path of a row, and raises LookupError if the row lacks it."""
    return partial(value_of, path=name)


@attrs.frozen
class IdBy:
    """Finds a row's id by a field or a path, else by its number: see ``id_by``."""

    name: str | None
    numbers: bool = False

    def __call__(self, row: Row, number: int) -> Any:
        """Return the value of any type. Raises LookupError if the row lacks the field."""
        if self.name is None or isinstance(row, TextRow) or (self.numbers and not has_value(row, self.name)):
            return number
        return value_of(row, self.name)


def id_by(name: str | Callable[[Row], Any] | None, *, numbers: bool = False) -> IdOf:
    """Return the function that extracts a row's id, which is the row's number for None. Raises InvalidRequest.

    The name may be a path. A bare text, and with ``numbers`` any row without the field, gets its number too.
    """
    if callable(name):
        return lambda row, _: name(row)
    if not isinstance(name, str | None):
        raise InvalidRequest(f"id must be the name of a field, a function of the row, or None, not {name!r}")
    return IdBy(name, numbers)
