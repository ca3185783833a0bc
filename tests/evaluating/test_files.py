"""Queries and judgments of files and of Python values: what is read, and what is said of what cannot be."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from aiomlcommons import InvalidRequest
from aiomlcommons.evaluating.judgments import judgments_of
from aiomlcommons.evaluating.queries import queries_of

TEXTS = {"1": "a soft answer", "2": "the ant"}
GRADES = {"1": {"a": 2, "b": 0}, "2": {"c": 1}}


def _written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    if path.suffix == ".gz":
        path.write_bytes(gzip.compress(text.encode()))
    else:
        path.write_bytes(text.encode())
    return path


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("q.jsonl", '{"_id": "1", "text": "a soft answer"}\n\n{"_id": "2", "text": "the ant", "metadata": {}}'),
        ("q.jsonl.gz", '\ufeff{"query_id": 1, "query": "a soft answer"}\r\n{"query-id": 2, "query": "the ant"}\r\n'),
        ("q.tsv", "1\ta soft answer\n2\tthe ant\n"),
        ("q.TSV", "1\ta soft answer\r\n2\tthe ant"),
    ],
)
def test_queries_of_a_file(tmp_path: Path, name: str, text: str) -> None:
    path = _written(tmp_path, name, text)
    assert queries_of(path) == queries_of(str(path)) == TEXTS


def test_queries_without_ids_are_their_own(tmp_path: Path) -> None:
    own = {text: text for text in TEXTS.values()}
    assert queries_of(list(TEXTS.values())) == own
    assert queries_of(_written(tmp_path, "q.txt", "a soft answer\n the ant \n\n")) == own


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("j.tsv", "query-id\tcorpus-id\tscore\n1\ta\t2\n1\tb\t0\n2\tc\t1\n"),
        ("j.tsv.gz", "1\ta\t2\n1\tb\t0\n2\tc\t1\n"),
        ("j.qrels", "1 0 a 2\n1 0 b 0\n2 Q0 c 1\n"),
        ("j.txt", "1\t0\ta\t2\r\n1\t0\tb\t0\r\n2\t0\tc\t1\r\n"),
        (
            "j.jsonl",
            '{"query-id": 1, "corpus-id": "a", "score": 2}\n{"query_id": "1", "doc_id": "b", "grade": 0}\n'
            '{"query": "2", "id": "c", "relevance": 1.0}',
        ),
    ],
)
def test_judgments_of_a_file(tmp_path: Path, name: str, text: str) -> None:
    assert judgments_of(_written(tmp_path, name, text)) == GRADES


def test_a_collection_of_documents_is_of_relevant_ones() -> None:
    assert judgments_of({"1": ["a"], "2": {"b"}, "3": {"c": 2}}) == {"1": {"a": 1}, "2": {"b": 1}, "3": {"c": 2}}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (7, "queries must be a mapping from ids to texts, a list of texts, or the path of a file, not"),
        ({}, "queries: there are no queries"),
        ([], "queries: there are no queries"),
        ({1: "a"}, "queries[1]: the id of a query must be a text"),
        ({"a": " "}, "queries['a'] must be a text with a word in it, not ' '"),
        ([None], "queries[0]: the id of a query must be a text"),
        (["a", "a"], "queries[1]: there is a query 'a' before: give each query once"),
    ],
)
def test_queries_that_are_none(given: Any, says: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        queries_of(given)
    assert says in str(raised.value)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ([("1", "a")], "judgments must be a mapping from the ids of queries to the grades of documents"),
        ({}, "judgments: there are no judgments"),
        ({"1": "a"}, "judgments['1'] must be a mapping from ids of documents to grades, or a list"),
        ({"1": {"a": "2"}}, "judgments['1']['a']: a grade must be a number, above 0 for what is relevant, not '2'"),
        ({"1": {"a": True}}, "a grade must be a number"),
        ({"1": {"a": float("nan")}}, "a grade must be a number"),
        ({"1": {7: 1}}, "judgments['1'][7]: ids must be texts"),
        ({7: {"a": 1}}, "judgments[7]['a']: ids must be texts"),
    ],
)
def test_judgments_that_are_none(given: Any, says: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        judgments_of(given)
    assert says in str(raised.value)


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("q.csv", "1,a", "ends in .csv: a file of queries is .jsonl (an id and a text), .tsv"),
        ("q", "a", "ends in nothing"),
        ("q.txt", "\n", "q.txt: there are no queries"),
        ("q.tsv", "1\ta\n2 b\n", "q.tsv, line 2 has no tab between an id and a text"),
        ("q.jsonl", '{"_id": "1", "text": "a"}\n{', "q.jsonl, line 2 is no JSON"),
        ("q.jsonl", "[1]", "q.jsonl, line 1 is no JSON object"),
        ("q.jsonl", '{"text": "a"}', "line 1 has no id of a query: it must be the field '_id' or 'id'"),
        ("q.jsonl", '{"_id": "1"}', "line 1 has no text: it must be the field 'text' or 'query'"),
        ("q.jsonl", '{"_id": [1], "text": "a"}', "line 1: the id of a query must be a text or a number, not [1]"),
        ("q.jsonl", '{"_id": 1, "text": "a"}\n{"_id": 1, "text": "b"}', "line 2: there is a query '1' before"),
    ],
)
def test_files_of_queries_that_are_none(tmp_path: Path, name: str, text: str, says: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        queries_of(_written(tmp_path, name, text))
    assert says in str(raised.value)


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("j.csv", "1,a", "ends in .csv: a file of judgments is .tsv, .txt or .qrels"),
        ("j.tsv", "query-id\tcorpus-id\tscore\n", "j.tsv: there are no judgments"),
        ("j.tsv", "1\ta\n", "line 1 has 2 columns: there must be three (query, document, grade) or four"),
        ("j.tsv", "1\ta\t1\n1\tb\tgood\n", "line 2: a grade must be a number, not 'good'"),
        ("j.tsv", "1\ta\t1\n1\ta\t2\n", "line 2: the document 'a' has the grade 1 for the query '1' before"),
        ("j.tsv", "1\ta\tinf\n", "line 1: a grade must be a number, above 0 for what is relevant, not inf"),
        ("j.jsonl", '{"query-id": "1", "corpus-id": "a"}', "line 1 has no grade: it must be the field 'score'"),
        ("j.jsonl", '{"query-id": "1", "score": 1}', "line 1 has no id of a document"),
    ],
)
def test_files_of_judgments_that_are_none(tmp_path: Path, name: str, text: str, says: str) -> None:
    with pytest.raises(InvalidRequest) as raised:
        judgments_of(_written(tmp_path, name, text))
    assert says in str(raised.value)


@pytest.mark.parametrize("read", [queries_of, judgments_of])
def test_a_file_that_cannot_be_read(tmp_path: Path, read: Any) -> None:
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "none.tsv")
    (tmp_path / "latin.tsv").write_bytes(b"1\ta\xe9\t1\n")
    with pytest.raises(InvalidRequest, match=r"latin\.tsv is no text in UTF-8"):
        read(tmp_path / "latin.tsv")
    (tmp_path / "cut.tsv.gz").write_bytes(gzip.compress(b"1\ta\t1\n" * 100)[:-8])
    with pytest.raises(InvalidRequest, match=r"cut\.tsv\.gz is cut short|there is a query"):
        read(tmp_path / "cut.tsv.gz")
