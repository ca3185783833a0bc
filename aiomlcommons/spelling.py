"""Names in messages: what one that is not known may stand for, and lists of many, said the same way everywhere."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher

SUGGESTED = 3
"""The number of names that are suggested at most."""

# The likeness from which difflib calls two words close, and by how much a suggestion may be worse than the best one.
_CLOSE = 0.6
_WORSE = 0.15
# A shorter part is in many names by chance.
_SHORTEST_PART = 3
# What is longer is no name, and would take long to compare.
_LONGEST = 200


def did_you_mean(word: str, known: Iterable[str], otherwise: str = "") -> str:
    """Return ``did you mean 'a' or 'b'?`` with the names similar to a word, or ``otherwise`` if there are none."""
    names = [repr(name) for name in similar(word, known)]
    if not names:
        return otherwise
    return f"did you mean {' or '.join(filter(None, (', '.join(names[:-1]), names[-1])))}?"


def some_of(names: Iterable[object], most: int) -> str:
    """Return names with commas between them; of more than ``most`` the first ones: ``a, b and 7 more``."""
    known = list(map(str, names))
    left = len(known) - most
    return ", ".join(known[:most]) + (f" and {left:,} more" if left > 0 else "")


def similar(word: str, known: Iterable[str]) -> list[str]:
    """Return up to three of the known names that are close to a word, or have it as a part; the most similar first.

    Case does not count, nor whether words are joined by dashes, underscores or spaces. What has slashes may also be
    close by its last part alone.
    """
    wanted = _plain(word[:_LONGEST])
    likeness = {name: _likeness(wanted, _plain(name)) for name in known}
    best = max(likeness.values(), default=0)
    close = [name for name, found in likeness.items() if found >= max(_CLOSE, best - _WORSE)]
    parts = [name for name in likeness if name not in close and _has_part(wanted, _plain(name))]
    ranked = [name for group in (close, parts) for name in sorted(group, key=lambda name: -likeness[name])]
    return ranked[:SUGGESTED]


def _plain(word: str) -> str:
    return word.strip().casefold().replace("-", "_").replace(" ", "_")


def _likeness(word: str, name: str) -> float:
    pairs = {(word, name), (word.rpartition("/")[2], name.rpartition("/")[2])}
    # Without the heuristic for long texts, which takes frequent letters for noise.
    return max(SequenceMatcher(None, one, other, autojunk=False).ratio() for one, other in pairs)


def _has_part(word: str, name: str) -> bool:
    """Return whether the word is a part of the name, or the name more than half of the word."""
    return (len(word) >= _SHORTEST_PART and word in name) or (len(name) > len(word) / 2 and name in word)
