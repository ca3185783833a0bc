"""Lexical vectors: signed feature hashing of words and character trigrams.

Texts are near when they share words or stems. There are no semantics: "car" and "automobile" are as far from each other
as any two words. Good enough to see a pipeline work, and deterministic across processes.
"""

from __future__ import annotations

import hashlib
import itertools
import math
import re
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Vectors = npt.NDArray[np.float32]

_WORD = re.compile(r"\w+")
_PART_WEIGHT = 0.5
_COMMON_WEIGHT = 0.2
# Stop words.
_COMMON = frozenset(
    re.findall(
        r"\w+",
        "a all an and any are as at be been but by can do for from had has have he her him his how i if in into is it "
        "its me my no not of on or our she so than that the their them then there these they this those to was we were "
        "what when where which who why will with you your",
    )
)
_TOKEN_IDS = 30_522
# A word and its first fifteen trigrams.
_FEATURES = 16
_MOST_WORDS = 200_000


def words(text: str) -> list[str]:
    """Return the words of a text in lower case."""
    return _WORD.findall(text.lower())


def embed(texts: Sequence[str], dimension: int) -> Vectors:
    """Return unit vectors as an array of shape ``(len(texts), dimension)``; an empty text has one too."""
    vocabulary = _vocabulary(dimension)
    # An empty text is the empty word.
    found = [[vocabulary[word] for word in words(text) or ("",)] for text in texts]
    rows = np.repeat(np.arange(len(texts)), np.array([len(ids) for ids in found], np.int64))
    # Sublinear term frequency: each repetition of a word adds less.
    pairs = rows * len(vocabulary) + np.fromiter(itertools.chain.from_iterable(found), np.int64, len(rows))
    pairs, times = np.unique(pairs, return_counts=True)
    rows, ids = np.divmod(pairs, len(vocabulary) or 1)
    places = vocabulary.places[ids] + rows[:, None] * dimension
    weights = vocabulary.weights[ids] * (1.0 + np.log(times))[:, None]
    sums = np.bincount(places.ravel(), weights.ravel(), len(texts) * dimension).astype(np.float64, copy=False)
    return _unit(sums.reshape(len(texts), dimension))


def _unit(rows: npt.NDArray[np.float64]) -> Vectors:
    norms = np.sqrt(np.einsum("ij,ij->i", rows, rows))
    # Features of opposite sign can cancel out, in few dimensions even all of them.
    rows[norms < 1e-6, 0] = 1.0
    norms[norms < 1e-6] = 1.0
    unit: Vectors = (rows / norms[:, None]).astype(np.float32)
    return unit


class Vocabulary(dict[str, int]):
    """A cache of words: each has a row in two tables, the hashed places in a vector and their weights."""

    def __init__(self, dimension: int) -> None:
        super().__init__()
        self.dimension = dimension
        self.places = np.zeros((1024, _FEATURES), np.int64)
        self.weights = np.zeros((1024, _FEATURES), np.float64)

    def __missing__(self, word: str) -> int:
        row = len(self)
        if row == len(self.places):
            self.places, self.weights = np.vstack([self.places] * 2), np.vstack([self.weights] * 2)
            self.weights[row:] = 0.0
        for column, (feature, weight) in enumerate(_features(word)):
            number = _hash(feature)
            self.places[row, column] = (number >> 1) % self.dimension
            self.weights[row, column] = weight if number & 1 else -weight
        self[word] = row
        return row


_VOCABULARIES: dict[int, Vocabulary] = {}


def _vocabulary(dimension: int) -> Vocabulary:
    known = _VOCABULARIES.get(dimension)
    if known is None or len(known) > _MOST_WORDS:
        known = _VOCABULARIES[dimension] = Vocabulary(dimension)
    return known


def _features(word: str) -> list[tuple[str, float]]:
    """Return a word and its character trigrams with their weights, so that inflected forms are near each other."""
    own = weight_of(word)
    marked = f"^{word}$"
    parts = [marked[i : i + 3] for i in range(len(marked) - 2)] if len(word) > 1 else []
    return [(word, own), *((f"{part}*", own * _PART_WEIGHT) for part in parts[: _FEATURES - 1])]


def _hash(feature: str) -> int:
    return int.from_bytes(hashlib.blake2b(feature.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def weight_of(word: str) -> float:
    """Return the weight of a word, lower for stop words."""
    return _COMMON_WEIGHT if word in _COMMON else 1.0


def similarity(query: str, texts: Sequence[str], dimension: int = 1024) -> Vectors:
    """Return the cosine similarity of each text to a query, clipped to 0 to 1."""
    vectors = embed([query, *texts], dimension)
    near: Vectors = np.clip(vectors[1:] @ vectors[0], 0.0, 1.0)
    return near


def tokens(text: str, *, as_ids: bool) -> Counter[str]:
    """Count the words of a text, by word or by token id."""
    return Counter(map(token_id, words(text)) if as_ids else words(text))


def sparse_weights(text: str, *, as_ids: bool) -> dict[str, np.float32]:
    """Return the weight of each word in a text, which grows with the logarithm of its frequency."""
    counted = Counter(words(text))
    weights = {word: np.float32(weight_of(word) * (1.0 + math.log(n))) for word, n in counted.items()}
    return {token_id(word): weight for word, weight in weights.items()} if as_ids else weights


@lru_cache(maxsize=200_000)
def token_id(word: str) -> str:
    """Return a number for a word, as a string; not that of a real vocabulary."""
    return str(_hash(word) % _TOKEN_IDS)


_SENTENCE = re.compile(r"[^.!?\s][^.!?]*[.!?]*")


def sentences(text: str) -> list[tuple[int, int]]:
    """Return the start and end of each sentence of a text."""
    return [(found.start(), found.start() + len(found.group().rstrip())) for found in _SENTENCE.finditer(text)]
