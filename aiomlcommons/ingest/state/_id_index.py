"""Index of hashes in memory: which of them may have been added before, and as the how-manieth.

A Bloom filter says of nearly all new hashes that they are new. The others are looked up in sorted arrays of their upper
halves. In all an id takes 10 to 14 bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Hashes: TypeAlias = "npt.NDArray[np.uint64]"
# Hashes that the first filter takes; each further one takes twice as many.
FIRST = 3 << 16
# With so many hashes for each word of 64 bits a filter is wrong about one new hash in 800 when it is full.
PER_WORD = 3
# Hashes that are collected before they are sorted, and those of the longest array. So many of a length are merged.
RECENT, LONGEST, WAYS = 1 << 14, 1 << 18, 4

# To look so many hashes up one by one takes as long as to sort the collected ones.
MANY = 256


class IdIndex:
    """Hashes of 64 bits, each with its number: how many were added before it."""

    def __init__(self) -> None:
        self.count = 0
        self._filters = [_Filter(FIRST)]
        self._recent = np.empty(RECENT, np.uint32)
        # Upper halves of hashes, and their numbers. Arrays do not get longer towards the end.
        self._sorted: list[tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32]]] = []

    def may_have(self, hashes: Hashes) -> npt.NDArray[np.bool_]:
        """Return for each hash whether it may have been added; if not, it is new."""
        masks = _masks(hashes)
        found = self._filters[-1].may_have(hashes, masks)
        for one in self._filters[:-1]:
            found |= one.may_have(hashes, masks)
        return found

    def add(self, hashes: Hashes) -> None:
        """Add hashes that are new."""
        while len(hashes):
            filled = self.count % RECENT
            if self._filters[-1].room == 0:
                self._filters.append(_Filter(2 * self._filters[-1].capacity))
            some = hashes[: min(RECENT - filled, self._filters[-1].room)]
            self._filters[-1].add(some)
            self._recent[filled : filled + len(some)] = some >> np.uint64(32)
            self.count += len(some)
            if self.count % RECENT == 0:
                self._sort_recent()
            hashes = hashes[len(some) :]

    def _sort_recent(self) -> None:
        order = np.argsort(self._recent, kind="stable")
        self._sorted.append((self._recent[order], (order + (self.count - RECENT)).astype(np.uint32)))
        while len(self._sorted) >= WAYS and len(self._sorted[-WAYS][0]) == len(self._sorted[-1][0]) < LONGEST:
            halves, numbers = (np.concatenate(parts) for parts in zip(*self._sorted[-WAYS:], strict=True))
            order = np.argsort(halves, kind="stable")
            self._sorted[-WAYS:] = [(halves[order], numbers[order])]

    def find(self, hashes: Hashes) -> Iterator[tuple[int, int]]:
        """Yield the index of each hash with the number of one that was added and may be the same."""
        wanted = (hashes >> np.uint64(32)).astype(np.uint32)
        for halves, numbers in self._sorted:
            begins = np.searchsorted(halves, wanted)
            for i in np.flatnonzero(halves.take(begins, mode="clip") == wanted).tolist():
                end = np.searchsorted(halves, wanted[i], "right")
                yield from ((i, number) for number in numbers[begins[i] : end].tolist())
        first = self.count - self.count % RECENT
        recent = self._recent[: self.count - first]
        for i in np.flatnonzero(np.isin(wanted, recent)).tolist() if len(wanted) > MANY else range(len(wanted)):
            yield from ((i, first + number) for number in np.flatnonzero(recent == wanted[i]).tolist())


class _Filter:
    """A Bloom filter of five bits for each hash, all in one word, so that each look-up is one access to memory."""

    def __init__(self, capacity: int) -> None:
        self.capacity = self.room = capacity
        self._words = np.zeros(capacity // PER_WORD, np.uint64)
        self._last = np.uint64(len(self._words) - 1)

    def may_have(self, hashes: Hashes, masks: Hashes) -> npt.NDArray[np.bool_]:
        return (self._words[hashes & self._last] & masks) == masks  # type: ignore[no-any-return]

    def add(self, hashes: Hashes) -> None:
        np.bitwise_or.at(self._words, hashes & self._last, _masks(hashes))
        self.room -= len(hashes)


def _masks(hashes: Hashes) -> Hashes:
    """Return words with the bits of each hash, which its uppermost 30 bits choose."""
    masks = np.zeros(len(hashes), np.uint64)
    for shift in (34, 40, 46, 52, 58):
        masks |= np.uint64(1) << ((hashes >> np.uint64(shift)) & np.uint64(63))
    return masks
