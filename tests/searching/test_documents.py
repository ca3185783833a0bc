"""Documents are read into the user's own class, and what differs is said with its path."""

from __future__ import annotations

import dataclasses
import pickle
from collections.abc import Sequence, Set
from datetime import UTC, date, datetime
from enum import Enum
from typing import Any, NamedTuple, TypedDict

import attrs
import pytest

from aiomlcommons import InvalidRequest, WrongDocument
from aiomlcommons.api.common import Hits
from aiomlcommons.searching.documents import check_into, read_hits
from tests.support.pages import page_of


class Book(Enum):
    PROVERBS = "Proverbs"


@dataclasses.dataclass
class Author:
    name: str


@dataclasses.dataclass
class Verse:
    text: str
    year: int | None = None
    book: Book | None = None
    author: Author | None = None
    written: datetime | None = None
    day: date | None = None
    weight: float = 1.0
    tags: list[str] = dataclasses.field(default_factory=list)


@attrs.frozen
class AttrsVerse:
    text: str


class DictVerse(TypedDict):
    text: str


class TupleVerse(NamedTuple):
    text: str


@dataclasses.dataclass
class Arrays:
    words: Sequence[str]
    kinds: Set[str]
    numbers: set[int]
    lists: list[list[str]]
    image: bytes


class PydanticVerse:
    """A class that is made as those of pydantic are."""

    text: str

    @classmethod
    def model_validate(cls, document: dict[str, Any]) -> PydanticVerse:
        made = cls()
        made.text = document["text"]
        return made


def found(document: dict[str, Any] | None) -> Hits[dict[str, Any]]:
    return Hits.from_dict(page_of({"d": document}), dict[str, Any])


def test_a_data_class_takes_what_it_names() -> None:
    document = {
        "text": "a soft answer",
        "embedding": [1.0],
        "book": "Proverbs",
        "author": {"name": "Solomon", "born": -990},
        "written": "2024-05-01T12:00:00Z",
        "day": 86_400_000,
        "weight": 2,
        "tags": ["a"],
    }
    (hit,) = read_hits(found(document), Verse)
    assert hit.id == "d"
    assert hit.source == Verse(
        "a soft answer",
        book=Book.PROVERBS,
        author=Author("Solomon"),
        written=datetime(2024, 5, 1, 12, tzinfo=UTC),
        day=date(1970, 1, 2),
        weight=2,
        tags=["a"],
    )


def test_other_classes_and_functions_do_as_well() -> None:
    hits = found({"text": "a", "more": 1})
    assert read_hits(hits, AttrsVerse)[0].source == AttrsVerse("a")
    assert read_hits(hits, DictVerse)[0].source == {"text": "a", "more": 1}  # a dict of more fields is one of these
    assert read_hits(hits, PydanticVerse)[0].source.text == "a"
    assert read_hits(hits, TupleVerse)[0].source == TupleVerse("a")
    assert read_hits(hits, lambda document: document["text"])[0].source == "a"
    assert read_hits(hits, None)[0].source == read_hits(hits, dict)[0].source == {"text": "a", "more": 1}


def test_arrays_and_binary_fields_are_read_as_the_class_says() -> None:
    document = {"words": ["a"], "kinds": ["b", "b"], "numbers": [1], "lists": [["c"]], "image": "aGk="}
    assert read_hits(found(document), Arrays)[0].source == Arrays(("a",), frozenset({"b"}), {1}, [["c"]], b"hi")
    for name, value in (("words", "ab"), ("kinds", {"a": 1}), ("numbers", 1), ("lists", ["ab"])):
        with pytest.raises(WrongDocument, match=rf"it must be a list, not .* @ \$\.{name}"):
            read_hits(found({**document, name: value}), Arrays)


def test_a_hit_without_a_document_stays_one() -> None:
    assert not read_hits(found(None), Verse)[0].has_source


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({}, r"the document 'd' of i is no Verse: 'text' is missing"),
        ({"text": 7}, r"it must be a string, not 7 .*\$\.text"),
        ({"text": "a", "weight": True}, r"it must be a number, not True .*\$\.weight"),
        ({"text": "a", "tags": ["a", 1]}, r"it must be a string, not 1 .*\$\.tags\[1\]"),
        ({"text": "a", "tags": "wise"}, r"it must be a list, not 'wise' @ \$\.tags"),
        ({"text": "a", "tags": None}, r"it must be a list, not None @ \$\.tags"),
        ({"text": "a", "author": {"name": None}}, r"\$\.author\.name"),
        ({"text": "a", "book": "Psalms"}, r"Psalms.*\$\.book"),
    ],
)
def test_a_document_of_another_class_is_named_with_the_path(document: dict[str, Any], words: str) -> None:
    with pytest.raises(WrongDocument, match=words) as caught:
        read_hits(found(document), Verse)
    assert caught.value.hit.source == document
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)  # noqa: S301


def test_none_of_a_function_is_told_from_a_document_that_was_left_out() -> None:
    (hit,) = read_hits(found({}), lambda document: document.get("text"))
    with pytest.raises(LookupError, match="unless into made None of it"):
        _ = hit.source


def test_the_error_of_a_function_comes_as_it_is_and_names_the_document() -> None:
    with pytest.raises(KeyError) as caught:
        read_hits(found({}), lambda document: document["text"])
    assert caught.value.__notes__ == ["in the document 'd' of i"]


def test_what_is_neither_class_nor_function_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="into must be a class or a function of a document, not str"):
        check_into("Verse")
