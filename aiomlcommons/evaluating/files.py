"""Lines of text files, each with its place for messages, and the values of those that are JSON."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from aiomlcommons.errors import InvalidRequest


def ending(path: Path) -> str:
    """Return the suffix of a file, without that of its compression."""
    return (path.with_suffix("") if path.suffix == ".gz" else path).suffix.lower()


def lines_of(path: Path) -> Iterator[tuple[str, str]]:
    """Yield each line that is not blank, with its place before it. Raises OSError, InvalidRequest."""
    is_compressed = path.suffix == ".gz"
    with gzip.open(path, "rt", encoding="utf-8-sig") if is_compressed else path.open(encoding="utf-8-sig") as file:
        try:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield f"{path}, line {number}", line.rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise InvalidRequest(f"{path} is no text in UTF-8: {error}") from None
        except EOFError:
            raise InvalidRequest(f"{path} is cut short: its compressed data has no end") from None


def objects_of(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the JSON object of each line, with its place before it. Raises OSError, InvalidRequest."""
    for place, line in lines_of(path):
        try:
            found = orjson.loads(line)
        except ValueError as error:
            raise InvalidRequest(f"{place} is no JSON: {error}") from None
        if not isinstance(found, dict):
            raise InvalidRequest(f"{place} is no JSON object")
        yield place, found


def value_of(place: str, found: Mapping[str, Any], names: tuple[str, ...], what: str) -> Any:
    """Return the first of some fields that an object has. Raises InvalidRequest if it has none."""
    for name in names:
        if found.get(name) is not None:
            return found[name]
    raise InvalidRequest(f"{place} has no {what}: it must be the field {' or '.join(map(repr, names))}")


def id_of(place: str, found: Mapping[str, Any], names: tuple[str, ...], what: str) -> str:
    """Return the id in the first of some fields that an object has; a number as text. Raises InvalidRequest."""
    value = value_of(place, found, names, what)
    if isinstance(value, bool) or not isinstance(value, str | int) or value == "":
        raise InvalidRequest(f"{place}: the {what} must be a text or a number, not {value!r:.60}")
    return str(value)
