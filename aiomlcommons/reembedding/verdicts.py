"""What is to be done about a document, by how it was found in the source and in the target. Nothing here asks a server.

Each verdict is carried out under the condition that the document is still as it was found.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from enum import Enum, auto

import attrs

from aiomlcommons.reembedding.errors import ForeignVersions
from aiomlcommons.reembedding.reading import BEGINNING, Found
from aiomlcommons.reembedding.versions import base_of, seq_no_of


class Verdict(Enum):
    """What is to be done."""

    SAME = auto()
    """Nothing: it is as it should be."""
    COPY = auto()
    """Copy it into the target, unless a copy there is newer."""
    LOOK = auto()
    """Copy it, if it has a text: the copy has no vector."""
    WRITE = auto()
    """Write it over what was found on the other side, or create it there."""
    BRING = auto()
    """Write it where nothing is, unless others deleted it there."""
    COMPARE = auto()
    """Write it over what was found on the other side, unless their fields are the same."""
    DIFFER = auto()
    """Nothing, but it is a conflict unless the fields are the same."""
    DELETE = auto()
    """Delete it on the other side."""
    DROP = auto()
    """Delete the copy, by a version that tells this delete from those of others."""
    LEAVE = auto()
    """Nothing: it is for others."""
    CONFLICT = auto()
    """Nothing: others have written both. A person must tell which one counts."""


def check_version(found: Found, index: str) -> None:
    """Raise ForeignVersions for a document whose version the server did not count itself.

    Each write of a shard has a sequence number, so that no document was written more often than its own says.
    """
    if found.version > found.seq_no + 1:
        raise ForeignVersions(
            f"index {index}: document {found.id!r} has the version {found.version}, which its writers gave it "
            "(version_type=external): in a re-embedded index they would be refused, because the copies have versions "
            "of their own; let the server count the versions, or stop these writers first"
        )


def whole(source: Found | None, target: Found | None) -> Verdict:
    """Judge before the switch, when nobody else writes the target."""
    if target is None:
        return Verdict.SAME if source is None else Verdict.COPY
    copied = seq_no_of(target.version)
    if copied is None:
        return Verdict.LEAVE
    # A copy may be ahead of its source where a primary shard was lost before it told the others of a write.
    if source is None or copied > source.seq_no:
        return Verdict.DROP
    if copied < source.seq_no:
        return Verdict.COPY
    return Verdict.LOOK if target.fingerprint is None else Verdict.SAME


def again(source: Found | None, target: Found | None) -> Verdict:
    """Judge before one more switch, after all that others wrote in the target was given back to the source."""
    if target is None or seq_no_of(target.version) is not None:
        return whole(source, target)
    if source is None:
        return Verdict.DELETE
    base = base_of(target.version)
    return Verdict.COPY if base is None or base < source.seq_no else Verdict.COMPARE


@attrs.define
class Late:
    """Judges after the switch what the source got late.

    What was written in the source after ``marks`` came after it was copied. ``brought`` are documents that were brought
    over since: their version then, and the sequence number in the source that they are of. ``deleted`` are those that
    were deleted since, because they were in the source.
    """

    marks: Mapping[int, int]
    brought: Mapping[str, tuple[int, int]]
    deleted: Container[str] = ()

    def __call__(self, source: Found | None, target: Found | None) -> Verdict:
        """Return the verdict."""
        if target is None:
            if source is None or not is_after(self.marks, source):
                return Verdict.LEAVE  # what was copied and is gone was deleted by others
            _, seq_no = self.brought.get(source.id, (0, -1))
            if source.seq_no <= seq_no:
                return Verdict.LEAVE
            return Verdict.WRITE if source.id in self.brought or source.id in self.deleted else Verdict.BRING
        copied = self._copied(target)
        if source is None:
            return Verdict.LEAVE if copied is None else Verdict.DELETE
        if copied is None:
            both = is_after(self.marks, source) and source.seq_no != base_of(target.version)
            return Verdict.CONFLICT if both else Verdict.LEAVE
        return Verdict.WRITE if copied < source.seq_no else Verdict.SAME

    def _copied(self, target: Found) -> int | None:
        version, seq_no = self.brought.get(target.id, (None, None))
        return seq_no if version == target.version else seq_no_of(target.version)


@attrs.define
class Back:
    """Judges what others wrote in the target, which is to be brought into the source.

    What was written in the source after ``marks`` came after it was copied, and after ``until``, after the alias went
    back; None: it has not. ``given`` was given back before: the sequence numbers in the target that it is of.
    ``brought`` is that of ``Late``: what the target has had for certain.
    """

    marks: Mapping[int, int]
    until: Mapping[int, int] | None
    given: Mapping[str, int]
    brought: Mapping[str, tuple[int, int]] = attrs.field(factory=dict)

    def __call__(self, source: Found | None, target: Found | None) -> Verdict:
        """Return the verdict."""
        if target is None:
            if source is None or self._is_newer(source):
                return Verdict.LEAVE
            _, brought = self.brought.get(source.id, (0, -1))
            known = source.id in self.given or source.seq_no == brought or not is_after(self.marks, source)
            return Verdict.DELETE if known else Verdict.LEAVE
        copied = seq_no_of(target.version)
        if source is None:
            if copied is not None or target.seq_no <= self.given.get(target.id, -1):
                return Verdict.LEAVE
            # After the alias went back it is in the source that others delete.
            return Verdict.WRITE if self.until is None else Verdict.BRING
        if copied is not None:
            return Verdict.SAME
        return Verdict.DIFFER if self._is_newer(source) else Verdict.COMPARE

    def _is_newer(self, source: Found) -> bool:
        return self.until is not None and is_after(self.until, source)


def is_after(marks: Mapping[int, int], found: Found) -> bool:
    """Return whether a document was written after the marks. It must have been found in its shard."""
    if found.shard is None:
        raise TypeError(f"document {found.id!r} was not found by shard")
    return found.seq_no > marks.get(found.shard, BEGINNING)
