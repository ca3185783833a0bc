"""The queries to evaluate on: a mapping, a list of texts, or a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias

from aiomlcommons.errors import InvalidRequest
from aiomlcommons.evaluating.files import ending, id_of, lines_of, objects_of, value_of
from aiomlcommons.record import kind_of

Queries: TypeAlias = Mapping[str, str] | Sequence[str] | str | PathLike[str]
_IDS = ("_id", "id", "query_id", "query-id")
_TEXTS = ("text", "query")
_FILES = ".jsonl (an id and a text), .tsv (id, tab, text) or .txt (a text a line), each with .gz or without"


def queries_of(given: Any) -> dict[str, str]:
    """Return the texts by the ids of the queries; this may read a file. Raises InvalidRequest, OSError."""
    if isinstance(given, str | PathLike):
        found = _collected(_read(Path(given)))
        what = str(given)
    elif isinstance(given, Mapping):
        found = _collected((f"queries[{key!r}]", key, text) for key, text in given.items())
        what = "queries"
    elif isinstance(given, Sequence) and not isinstance(given, bytes):
        found = _collected((f"queries[{number}]", text, text) for number, text in enumerate(given))
        what = "queries"
    else:
        raise InvalidRequest(
            f"queries must be a mapping from ids to texts, a list of texts, or the path of a file, not {kind_of(given)}"
        )
    if not found:
        raise InvalidRequest(f"{what}: there are no queries")
    return found


def _collected(given: Iterable[tuple[str, Any, Any]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for place, key, text in given:
        if not isinstance(key, str):
            raise InvalidRequest(f"{place}: the id of a query must be a text, not {kind_of(key)}")
        if not isinstance(text, str) or not text.strip():
            raise InvalidRequest(f"{place} must be a text with a word in it, not {text!r:.60}")
        if key in found:
            raise InvalidRequest(f"{place}: there is a query {key!r} before: give each query once")
        found[key] = text
    return found


def _read(path: Path) -> Iterator[tuple[str, str, Any]]:
    match ending(path):
        case ".jsonl":
            for place, found in objects_of(path):
                yield place, id_of(place, found, _IDS, "id of a query"), value_of(place, found, _TEXTS, "text")
        case ".tsv":
            for place, line in lines_of(path):
                key, tab, text = line.partition("\t")
                if not tab:
                    raise InvalidRequest(
                        f"{place} has no tab between an id and a text; a file of texts alone is a .txt"
                    )
                yield place, key.strip(), text
        case ".txt":
            for place, line in lines_of(path):
                yield place, line.strip(), line.strip()
        case other:
            raise InvalidRequest(f"queries: {path} ends in {other or 'nothing'}: a file of queries is {_FILES}")
