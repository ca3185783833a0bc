"""Cutting of a text into slices of bounded size that overlap, at the ends of sentences or at whitespace if possible."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable, Iterator

import attrs

# Where a slice ends best: after a paragraph or a sentence, in any script; else at whitespace.
_SENTENCE = re.compile(r"""\n\s*\n|[.!?…]["'”’)\]]*\s+|[。！？]""")  # noqa: RUF001 - marks of several scripts
_SPACE = re.compile(r"\s+")
_NO_SPACE = re.compile(r"\S")
_JOINER = "\u200d"


@attrs.frozen
class Cutter:
    """Cuts texts: ``size`` and ``overlap`` bound what ``measure`` returns for a slice, and for what two have in common.

    ``measure`` must not shrink when a text grows by a word.
    """

    size: int
    overlap: int
    measure: Callable[[str], int] = len

    def __call__(self, text: str) -> list[str]:
        """Return the slices, without whitespace around them. Raises ValueError if a character is more than ``size``."""
        return [text[begin:end].rstrip() for begin, end in self.spans(text)]

    def spans(self, text: str) -> Iterator[tuple[int, int]]:
        """Yield where each slice begins and ends."""
        begin, end = _word(text, 0), 0
        while begin < len(text):
            fresh, end = _word(text, end), self._end(text, begin)
            if end <= fresh:  # the next word does not fit beside the overlap
                begin, end = fresh, self._end(text, fresh)
            yield begin, end
            begin = self._begin(text, begin, end)

    def _end(self, text: str, begin: int) -> int:
        """Return where a slice ends: as late as its size allows, but not within a word, at best after a sentence."""
        # Measuring may mean tokenizing: of a large size, 1 in 64 may stay unused.
        enough = self.size - self.size // 64 if self.size >= 64 else math.inf
        most = begin + self._longest(lambda n: text[begin : begin + n], self.size, len(text) - begin, enough)
        if most == begin:
            raise ValueError(f"the character {text[begin]!r} alone is more than a chunk of size {self.size:,}")
        if _word(text, most) == len(text):
            return len(text)
        half = (begin + most) // 2
        return _last(_SENTENCE, text, half, most) or _last(_SPACE, text, begin, most) or _whole(text, begin, most)

    def _begin(self, text: str, begin: int, end: int) -> int:
        """Return where the next slice begins: as early as the overlap allows, at the beginning of a word."""
        if not self.overlap or end == len(text):
            return _word(text, end)
        first = end - self._longest(lambda n: text[end - n : end], self.overlap, end - begin - 1, self.overlap)
        space = _SPACE.search(text, first - 1, end)
        return _word(text, space.end() if space else _whole(text, first - 1, first))

    def _longest(self, slice_of: Callable[[int], str], size: int, most: int, enough: float) -> int:
        """Return the greatest length up to ``most`` whose slice is within ``size``, or one that measures ``enough``."""
        (low, small), high = (0, 0), min(most, size)
        while (large := self.measure(slice_of(high).rstrip())) <= size:
            if high == most or large >= enough:
                return high
            low, small, high = high, large, min(most, _grown(high, size, large))
        by_half = False
        while high - low > 1 and small < enough:
            middle = (low + high) // 2 if by_half else low + (high - low) * (size - small) // (large - small)
            middle, by_half = min(max(middle, low + 1), high - 1), not by_half
            if (found := self.measure(slice_of(middle).rstrip())) <= size:
                low, small = middle, found
            else:
                high, large = middle, found
        return low


def _grown(length: int, size: int, measured: int) -> int:
    """Return about the length that measures ``size``, and at most four times as much as before."""
    return length + max(1, min(3 * length, length * (size - measured) // max(1, measured) + length // 16))


def _word(text: str, at: int) -> int:
    """Return where the next word begins, or the end of the text."""
    found = _NO_SPACE.search(text, at)
    return found.start() if found else len(text)


def _last(pattern: re.Pattern[str], text: str, begin: int, end: int) -> int | None:
    """Return where the last match after ``begin`` ends, at most ``end``."""
    found = None
    for match in pattern.finditer(text, begin + 1, end + 1):
        if match.start() < end or text[match.start()].isspace():
            found = min(match.end(), end)
    return found


def _whole(text: str, begin: int, end: int) -> int:
    """Return the last position up to ``end`` that divides no character from its accents, and no emoji."""
    return next((at for at in range(end, begin, -1) if not _continues(text, at)), end)


def _continues(text: str, at: int) -> bool:
    character = text[at]
    colour = "\U0001f3fb" <= character <= "\U0001f3ff"
    return colour or unicodedata.category(character).startswith("M") or _JOINER in {character, text[at - 1]}
