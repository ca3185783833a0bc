"""What a round did, and what two indices differ in."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import attrs

SHOWN = 100
"""Ids of a kind that are kept."""
WRONG = ("missing", "stale", "extra", "unembedded")
"""The kinds of Differences that must be empty before the switch."""


@attrs.define(kw_only=True)
class Round:
    """The counts of one round, in documents.

    Attributes:
        compared: How many were looked at.
        same: How many were as they should be.
        embedded: How many got a vector.
        written: How many were written, with a vector or without.
        deleted: How many were deleted, because they are gone in the source.
        superseded: How many were not written, because what was there is as new or newer: it is left to the next round.
        without_text: How many have no text, and so no vector.
        failed: How many the model, or the index, refuses for good: dead letters.
        without_vector: How many were given back without a vector, because the old model is not known.
        conflicted: How many differ in both indices, so that only a person can tell which one counts.
        conflicts: The ids of those, 100 at most.
        seconds: How long it took.
    """

    compared: int = 0
    same: int = 0
    embedded: int = 0
    written: int = 0
    deleted: int = 0
    superseded: int = 0
    without_text: int = 0
    failed: int = 0
    without_vector: int = 0
    conflicted: int = 0
    conflicts: list[str] = attrs.field(factory=list)
    seconds: float = 0.0

    @property
    def changed(self) -> int:
        """How many documents were changed."""
        return self.written + self.deleted

    def conflict(self, key: str) -> None:
        """Count a document that differs in both."""
        self.conflicted += 1
        if len(self.conflicts) < SHOWN:
            self.conflicts.append(key)


@attrs.define
class Ids:
    """How many documents there are of a kind, and the ids of the first 100."""

    count: int = 0
    ids: list[str] = attrs.field(factory=list)

    def add(self, key: str) -> None:
        """Count one."""
        self.count += 1
        if len(self.ids) < SHOWN:
            self.ids.append(key)

    def __len__(self) -> int:
        return self.count


@attrs.define(kw_only=True)
class Differences:
    """What the target differs in from the source, before the switch; ``compared`` are the documents of both.

    Attributes:
        missing: In the source alone.
        stale: Another version in the target.
        extra: In the target alone, though it is a copy.
        unembedded: With a text whose vector is not there, or of another text or model.
        without_text: Without a text, so that they have no vector.
        by_others: Written in the target by others than the re-embedding.
    """

    compared: int = 0
    missing: Ids = attrs.field(factory=Ids)
    stale: Ids = attrs.field(factory=Ids)
    extra: Ids = attrs.field(factory=Ids)
    unembedded: Ids = attrs.field(factory=Ids)
    without_text: Ids = attrs.field(factory=Ids)
    by_others: Ids = attrs.field(factory=Ids)
    seconds: float = 0.0

    @property
    def wrong(self) -> Sequence[str]:
        """The names of the kinds that must be empty before the switch, and are not."""
        return [name for name in WRONG if len(getattr(self, name))]


@contextmanager
def timed(counts: Round) -> Iterator[None]:
    """Set the seconds of counts to those that the context takes."""
    begun = time.monotonic()
    yield
    counts.seconds = time.monotonic() - begun
