"""The judgments of documents for queries: a mapping, or a file as BEIR and TREC have it."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from os import PathLike
from pathlib import Path
from typing import Any, TypeAlias

from aiomlcommons.errors import InvalidRequest
from aiomlcommons.evaluating.files import ending, id_of, lines_of, objects_of, value_of
from aiomlcommons.record import kind_of

Judgments: TypeAlias = Mapping[str, Mapping[str, float] | Collection[str]]
"""The grades of documents by the ids of queries and documents, or the ids of the relevant ones of each query."""
Grades: TypeAlias = dict[str, float]
# A place, and the ids of the query and of the document with the grade, which are not checked yet.
_Judged: TypeAlias = tuple[str, Any, Any, Any]
_QUERIES = ("query-id", "query_id", "query")
_DOCUMENTS = ("corpus-id", "corpus_id", "doc_id", "document", "id")
_GRADES = ("score", "grade", "relevance")
_FILES = ".tsv, .txt or .qrels (of three columns with a title line, or of four), or .jsonl, each with .gz or without"


def judgments_of(given: Any) -> dict[str, Grades]:
    """Return the grades by the ids of queries and documents; this may read a file. Raises InvalidRequest, OSError."""
    if isinstance(given, str | PathLike):
        found = _collected(_read(Path(given)))
        what = str(given)
    elif isinstance(given, Mapping):
        found = _collected(one for key, judged in given.items() for one in _of_query(key, judged))
        what = "judgments"
    else:
        raise InvalidRequest(
            "judgments must be a mapping from the ids of queries to the grades of documents, or the path of a file, "
            f"not {kind_of(given)}"
        )
    if not found:
        raise InvalidRequest(f"{what}: there are no judgments")
    return found


def _of_query(key: Any, judged: Any) -> Iterator[_Judged]:
    if isinstance(judged, Mapping):
        yield from ((f"judgments[{key!r}][{document!r}]", key, document, grade) for document, grade in judged.items())
    elif isinstance(judged, Collection) and not isinstance(judged, str | bytes):
        yield from ((f"judgments[{key!r}]", key, document, 1) for document in judged)
    else:
        raise InvalidRequest(
            f"judgments[{key!r}] must be a mapping from ids of documents to grades, or a list of the ids of relevant "
            f"documents, not {kind_of(judged)}"
        )


def _collected(given: Iterable[_Judged]) -> dict[str, Grades]:
    found: dict[str, Grades] = {}
    for place, query, document, grade in given:
        if not isinstance(query, str) or not isinstance(document, str):
            wrong = query if not isinstance(query, str) else document
            raise InvalidRequest(f"{place}: ids must be texts, not {kind_of(wrong)}")
        grades = found.setdefault(query, {})
        if grades.setdefault(document, number := _number(place, grade)) != number:
            raise InvalidRequest(
                f"{place}: the document {document!r} has the grade {grades[document]:g} for the query {query!r} before"
            )
    return found


def _number(place: str, grade: Any) -> float:
    if isinstance(grade, bool) or not isinstance(grade, int | float) or not math.isfinite(grade):
        raise InvalidRequest(f"{place}: a grade must be a number, above 0 for what is relevant, not {grade!r:.60}")
    return grade


def _read(path: Path) -> Iterator[_Judged]:
    match ending(path):
        case ".jsonl":
            for place, found in objects_of(path):
                query = id_of(place, found, _QUERIES, "id of a query")
                document = id_of(place, found, _DOCUMENTS, "id of a document")
                yield place, query, document, value_of(place, found, _GRADES, "grade")
        case ".tsv" | ".txt" | ".qrels":
            yield from _columns(path)
        case other:
            raise InvalidRequest(f"judgments: {path} ends in {other or 'nothing'}: a file of judgments is {_FILES}")


def _columns(path: Path) -> Iterator[_Judged]:
    """Yield the judgments of a file in columns: query, document, grade, as BEIR's; TREC has a 0 after the query."""
    for number, (place, line) in enumerate(lines_of(path)):
        columns = [column.strip() for column in line.split("\t")] if "\t" in line else line.split()
        if len(columns) not in {3, 4}:
            raise InvalidRequest(
                f"{place} has {len(columns)} columns: there must be three (query, document, grade) or four (query, 0, "
                "document, grade)"
            )
        try:
            grade = float(columns[-1])
        except ValueError:
            if number == 0:
                continue  # the titles of the columns
            raise InvalidRequest(f"{place}: a grade must be a number, not {columns[-1]!r:.60}") from None
        yield place, columns[0], columns[-2], grade
