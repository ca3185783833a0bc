"""Texts cut into chunks: sizes, overlaps, places to cut, tokenizers, and what cannot be."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiomlcommons.errors import InvalidRequest
from aiomlcommons.ingest import Chunks
from aiomlcommons.ingest.sources._cutting import Cutter

VERSES = "A soft answer turneth away wrath: but grievous words stir up anger. The tongue of the wise useth knowledge."


def words(text: str) -> int:
    return len(text.split())


def bytes_of(text: str) -> int:
    return len(text.encode())


@settings(max_examples=300, deadline=None)
@given(
    text=st.text("ab  c\n.。é\u0301\u200d\U0001f469\U0001f3fd x", max_size=80),
    size=st.integers(4, 20),
    overlap=st.integers(0, 3),
    measure=st.sampled_from([len, words, bytes_of]),
)
def test_chunks_are_the_whole_text_in_order_within_their_size_and_overlap(
    text: str, size: int, overlap: int, measure: Callable[[str], int]
) -> None:
    cutter = Cutter(size, overlap, measure)
    before = (-1, 0)
    for (begin, end), chunk in zip(cutter.spans(text), cutter(text), strict=True):
        assert chunk == text[begin:end].strip()
        assert 0 < measure(chunk) <= size
        assert begin > before[0]
        assert not text[before[1] : begin].strip(), "a part of the text is in no chunk"
        assert text[before[1] : end].strip(), "a chunk has nothing new"
        assert measure(text[begin : before[1]].rstrip()) <= overlap
        before = (begin, end)
    assert not text[before[1] :].strip()


@pytest.mark.parametrize(
    ("how", "text", "chunks"),
    [
        ({"size": 70}, VERSES, [VERSES[:67], VERSES[68:]]),
        ({"size": 60}, VERSES, [VERSES[:60], VERSES[61:]]),
        (
            {"size": 30, "overlap": 9},
            VERSES[:67],
            [VERSES[:26], "away wrath: but grievous words", "words stir up anger."],
        ),
        ({"size": 9}, "a\n\nbb cc ddd", ["a\n\nbb cc", "ddd"]),
        ({"size": 6}, "abc.\n\nde fg", ["abc.", "de fg"]),
        ({"size": 4, "overlap": 1}, "abcdefghij", ["abcd", "defg", "ghij"]),
        ({"size": 8}, "这是一个测试。没有空格的文字", ["这是一个测试。", "没有空格的文字"]),
        ({"size": 5}, "e\u0301" * 4, ["e\u0301" * 2, "e\u0301" * 2]),
        ({"size": 5}, "ab👩\u200d👩\u200d👧cd", ["ab", "👩\u200d👩\u200d👧"[:5], "cd"]),
        ({"size": 5}, "aa cccccccc dd", ["aa", "ccccc", "ccc", "dd"]),
        ({"size": 100}, "  short ", ["short"]),
        ({"size": 3}, " \n ", []),
    ],
)
def test_a_text_is_cut_at_sentences_and_whitespace_and_never_within_a_character(
    how: Any, text: str, chunks: list[str]
) -> None:
    assert Chunks(**how)(text) == chunks


class Tokenizer:
    """A tokenizer with the interface of tiktoken and transformers."""

    def encode(self, text: str) -> list[int]:
        return [len(word) for word in text.split()]


class Padded:
    """A ``tokenizers.Tokenizer`` as a model brings it: until it is told not to, it cuts and fills up to 128 tokens."""

    def __init__(self) -> None:
        self.bounded = {"truncation", "padding"}

    @classmethod
    def from_str(cls, text: str) -> Padded:
        copy = cls()
        copy.bounded = set(text.split())
        return copy

    def to_str(self) -> str:
        return " ".join(self.bounded)

    def no_truncation(self) -> None:
        self.bounded.discard("truncation")

    def no_padding(self) -> None:
        self.bounded.discard("padding")

    def encode(self, text: str) -> Encoding | list[int]:
        return [0] * 128 if self.bounded else Encoding(text)


def test_the_limit_of_a_models_tokenizer_does_not_count_and_stays_as_it_is() -> None:
    tokenizer = Padded()
    assert Chunks(size=8, tokenizer=tokenizer)(VERSES) == Chunks(size=8, tokenizer=Encoding)(VERSES)
    assert tokenizer.bounded == {"truncation", "padding"}


class Encoding:
    """What a ``tokenizers.Tokenizer`` returns: an object with a length, special tokens included."""

    def __init__(self, text: str) -> None:
        self.count = words(text) + 2

    def __len__(self) -> int:
        return self.count


@pytest.mark.parametrize(
    ("tokenizer", "size"),
    [(Tokenizer(), 6), (str.split, 6), (Encoding, 8), (words, 6), (lambda text: {"input_ids": text.split()}, 6)],
)
def test_tokens_are_those_of_any_tokenizer(tokenizer: Any, size: int) -> None:
    assert Chunks(size=size, tokenizer=tokenizer)(VERSES) == [
        "A soft answer turneth away wrath:",
        "but grievous words stir up anger.",
        "The tongue of the wise useth",
        "knowledge.",
    ]


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({}, "Chunks needs either size="),
        ({"size": 5, "split": str.split}, "Chunks needs either size="),
        ({"size": 0}, "size must be 1 or more and overlap 0 or more but less than size, not 0 and 0"),
        ({"size": 5, "overlap": 5}, "less than size, not 5 and 5"),
        ({"size": 2.5}, r"size must be 1 or more .* not 2\.5 and 0"),
        ({"size": 5, "overlap": -1}, "not 5 and -1"),
        ({"split": str.split, "overlap": 1}, "split must be a function of a text, without overlap"),
        ({"split": "."}, "split must be a function of a text"),
        ({"size": 5, "tokenizer": 7}, "tokenizer must have a method encode or be a function, not int"),
        ({"size": 5, "parent": "a", "number": "a"}, "parent and number must be two fields"),
    ],
)
def test_what_cannot_be_is_refused(how: Any, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        Chunks(**how)
    with pytest.raises(InvalidRequest, match=r"chunk must be such as Chunks\(size=1_000\)"):
        Chunks.of(1000)


@pytest.mark.parametrize("bad", ["text", None, 7, [], ["a", 1]])
def test_what_a_function_returns_must_be_strings(bad: Any) -> None:
    def split(_: str) -> Any:
        return bad

    with pytest.raises(TypeError, match="split must return"):
        Chunks(split=split)("a text")


def test_a_character_of_more_tokens_than_a_chunk_is_an_error() -> None:
    with pytest.raises(ValueError, match="the character 'é' alone is more than a chunk of size 1"):
        Chunks(size=1, tokenizer=str.encode)("aé")
