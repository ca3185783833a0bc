"""Full text: tokens, and scores by BM25 with the server's parameters."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Mapping

import attrs

TOKEN = re.compile(r"\w+(?:(?:['\u2019.]|(?<=\d),(?=\d))\w+)*")
K1, B = 1.2, 0.75
EXACT_LENGTH, FREE_LENGTHS = 40, 24


def tokens(text: str) -> list[str]:
    """Return the words of a text as the standard analyzer does: in lower case, "it's" is one word."""
    return TOKEN.findall(text.lower())


@attrs.frozen
class Texts:
    """The words of a field in all documents that have it, by id."""

    words: Mapping[str, Counter[str]]
    lengths: Mapping[str, int]
    frequencies: Counter[str]

    @classmethod
    def of(cls, words: Mapping[str, Iterable[str]]) -> Texts:
        """Count the words of each document."""
        counted = {key: Counter(own) for key, own in words.items()}
        frequencies = Counter(word for own in counted.values() for word in own)
        return cls(counted, {key: own.total() for key, own in counted.items()}, frequencies)

    def score(self, word: str, key: str) -> float | None:
        """Return the score of a document for a word, or None if it lacks the word."""
        count = self.words[key][word] if key in self.words else 0
        return self._weight(count, key) * self._rarity(word) if count else None

    def phrase_score(self, words: Iterable[str], count: int, key: str) -> float:
        """Return the score of a document that has a phrase of these words ``count`` times."""
        return self._weight(count, key) * sum(map(self._rarity, words))

    def _weight(self, count: int, key: str) -> float:
        average = sum(self.lengths.values()) / len(self.lengths)
        return count / (count + K1 * (1 - B + B * _stored(self.lengths[key]) / average))

    def _rarity(self, word: str) -> float:
        having = self.frequencies[word]
        return math.log(1 + (len(self.words) - having + 0.5) / (having + 0.5))


def _stored(length: int) -> int:
    """Return a length as Lucene stores it, in one byte: large ones with three significant bits after the first."""
    if length < EXACT_LENGTH:
        return length
    shift = (length - FREE_LENGTHS).bit_length() - 4
    return FREE_LENGTHS + ((length - FREE_LENGTHS) >> shift << shift)
