"""What a copy says of the document that it is of: its version, and the fingerprint of its vector.

A document whose ``_seq_no`` is s has a copy of the version ``(s + 1) << 20``. So a copy is never replaced by that of an
older state, which state it is of can be read from it, and writes of others, which count on from there, show.
"""

from __future__ import annotations

import re
from hashlib import blake2b

BITS = 20
"""Bits of a version that are left to the writes of others: a million of them to one document."""
_LEAST = 1 << BITS
_OTHERS = _LEAST - 1
_DROPPED = 1 << BITS - 1
"""Added to the version of a copy that is deleted because its document is gone. Others do not write so often."""
NOTHING = 0
"""The version of a document that is written only where there was never one, nor a delete of one: these have others."""
_CURRENT = re.compile(r"current version \[(\d+)\]")


def version_of(seq_no: int) -> int:
    """Return the version of the copy of a document."""
    return (seq_no + 1) << BITS


def seq_no_of(version: int) -> int | None:
    """Return the sequence number of the document that this is a copy of, or None if others wrote it."""
    return None if version & _OTHERS else base_of(version)


def base_of(version: int) -> int | None:
    """Return the sequence number of the document whose copy others wrote on, if they did not make it anew."""
    return None if version < _LEAST else (version >> BITS) - 1


def dropped(version: int) -> int:
    """Return the version of the delete of a copy that has a version."""
    return version + _DROPPED


def dropped_at(conflict: str) -> int | None:
    """Return the version of a delete of ours that a write was in conflict with, in the server's words.

    None where it was in conflict with what others wrote or deleted.
    """
    found = _CURRENT.search(conflict)
    version = int(found[1]) if found else 0
    return version if version & _OTHERS == _DROPPED else None


def fingerprint(model: str, text: str) -> str:
    """Return what tells the vector of a text by a model from those of other texts and models."""
    return blake2b(f"{model}\0{text}".encode(), digest_size=8).hexdigest()
