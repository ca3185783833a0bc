"""Texts and rows as programs give them: what is taken, and what is refused with the words what to write instead."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterable, Iterable, Mapping, Sequence
from numbers import Number
from os import PathLike
from typing import Any, TypeAlias

from aiomlcommons.errors import InvalidRequest
from aiomlcommons.inference.tables import (
    check_computed,
    columns_of,
    is_column,
    is_table,
    rows_of,
    text_column,
    values_of,
)
from aiomlcommons.inference.words import is_missing
from aiomlcommons.spelling import some_of

Texts: TypeAlias = Iterable[str]
"""A list, a tuple, a Series, an array, an Arrow column or a generator of texts."""

LISTED = 10
# Without the missing values, and as texts, in the words of each library.
_PRESENT = {"pandas": "{}.dropna()", "polars": "{}.drop_nulls()", "pyarrow": "{}.drop_null()"}
_AS_TEXTS = {"pandas": "{}.astype(str)", "polars": "{}.cast(str)", "pyarrow": "{}.cast('string')"}


def checked_texts(name: str, texts: Any) -> Sequence[str]:
    """Return texts as a sequence: a list or tuple as it is, those of any other collection as a list.

    Raises InvalidRequest, with the name, the position and the remedy, if there are none, or one that is not a string.
    """
    found: Sequence[Any] = texts if type(texts) is list else _collected(name, texts)
    if not found:
        raise InvalidRequest(f"{name} must not be empty: there is nothing to send to the model")
    _check_each(name, found, texts)
    return found


def checked_rows(name: str, rows: Any, *, named: bool) -> Any:
    """Return what the rows can be iterated over: those of a table are dicts, those of a column its values.

    ``named`` tells that the text of a row is named; if not, the rows are texts. Raises InvalidRequest, with the
    position and the remedy, for what is not a collection of rows, a table whose text is not named, and a column with
    anything but texts where the rows are texts.
    """
    if is_table(rows):
        if not named:
            raise InvalidRequest(f"the {name} of a {type(rows).__name__} are dicts: {_text_remedy(rows)}")
        return rows_of(rows)
    _refuse(name, "an iterable of rows", rows)
    if not is_column(rows):
        return rows
    values = values_of(rows)
    if not named:
        _check_each(name, values, rows)
    return values


def check_text(name: str, text: Any) -> None:
    """Raise InvalidRequest, with the name, unless ``text`` is a string."""
    if not isinstance(text, str):
        raise InvalidRequest(f"{name} must be a string, not {shown(text)}")


def shown(value: Any) -> str:
    """Return what a value is that should be a text: its type, and the remedy if it is one of bytes."""
    return type(value).__name__ + (": decode it" if isinstance(value, bytes) else "")


def _collected(name: str, texts: Any) -> Sequence[Any]:
    if is_table(texts):
        raise InvalidRequest(f"{name} must be a list of strings, not {type(texts).__name__}: {_column_remedy(texts)}")
    _refuse(name, "a list of strings", texts)
    if is_column(texts):
        return values_of(texts)
    if isinstance(texts, AsyncIterable) and not isinstance(texts, Iterable):
        remedy = f"collect them, [text async for text in {name}], or stream them through ml.embed"
        raise InvalidRequest(f"{name} must be a list of strings, not {type(texts).__name__}: {remedy}")
    return texts if isinstance(texts, list | tuple) else list(texts)  # a deque cannot be sliced, for one


def _check_each(name: str, texts: Sequence[Any], given: Any) -> None:
    if set(map(type, texts)) <= {str}:  # a fast path for the usual case
        return
    for position, text in enumerate(texts):
        if not isinstance(text, str):
            words = f"{name}[{position}] must be a string, not {shown(text)}"
            raise InvalidRequest(words + _item_remedy(name, text, given))


def _item_remedy(name: str, item: Any, given: Any) -> str:
    library = type(given).__module__.partition(".")[0]
    if is_missing(item):
        present = _PRESENT.get(library, "[text for text in {} if text is not None]").format(name)
        return f" ({item}), a missing value: leave it out, {present}, or put a text in its place"
    if isinstance(item, Number):
        return f": make each a text, {_AS_TEXTS.get(library, 'list(map(str, {}))').format(name)}"
    if isinstance(item, Mapping):
        return ": give the text of each row, or stream the rows through ml.embed(model_id, rows, text='...')"
    return ""


def _refuse(name: str, wanted: str, data: Any) -> None:
    """Raise InvalidRequest for what is one thing, or a collection without order or with more dimensions."""
    remedy = _remedy(data)
    if remedy or not isinstance(data, Iterable | AsyncIterable):
        raise InvalidRequest(f"{name} must be {wanted}, not {type(data).__name__}" + (remedy and f": {remedy}"))


def _remedy(data: Any) -> str:
    if isinstance(data, str):
        return "put a single text into a list, [text]"
    if isinstance(data, bytes | bytearray | memoryview):
        return "decode it, and put the text into a list"
    if isinstance(data, Mapping):
        return "put a single row into a list, [row], or give the values(), if those are meant"
    if isinstance(data, set | frozenset):
        return "its order differs from run to run; give a list, such as sorted(...)"
    if isinstance(data, PathLike):
        return "ml.ingest reads files"
    if inspect.iscoroutine(data):
        return "await it first"
    if (dimensions := getattr(data, "ndim", 1)) != 1:
        example = ", such as array[:, 0]" if dimensions == 2 else ""
        return f"it has {dimensions} dimensions; give an array of one{example}"
    return ""


def _column_remedy(table: Any) -> str:
    check_computed(table)
    if hasattr(table, "__getitem__"):
        source = "frame" if type(table).__name__ == "DataFrame" else "table"
    else:  # Arrow reads these when it is told to
        source = "dataset.to_table()" if hasattr(table, "to_table") else "reader.read_all()"
    return f"give the column of its texts, such as {source}[{text_column(table) or '...'!r}]"


def _text_remedy(table: Any) -> str:
    check_computed(table)
    if (column := text_column(table)) is not None:
        return f"name the column of the text, such as text={column!r}"
    names = some_of(map(repr, columns_of(table)), LISTED)
    return f"name the column of the text with text='...'; it has {names or 'none'}"
