"""Custom ids: ids chosen by the client, which servers accept since 3.9."""

from __future__ import annotations

import re
from typing import Any

from aiomlcommons.emulator.cluster import Cluster, Index
from aiomlcommons.emulator.errors import illegal, status_error

LONGEST = 512
_ID = re.compile("[a-zA-Z0-9][a-zA-Z0-9_-]*")


def check(cluster: Cluster, index: Index[Any], key: str | None, what: str) -> str | None:
    """Return the custom id, or None where none was given or an older server ignores it.

    Raises Refused where the id is invalid or taken.
    """
    if key is None or cluster.is_before("3.9"):
        return None
    if problem := _problem(key):
        raise illegal(f"{what} {problem}")
    index.settle(key)
    if key in index.documents:
        raise status_error(409, f"{what} '{key}' already exists")
    return key


def _problem(key: str) -> str | None:
    if not key.strip():
        return "is invalid"
    if key[0] in "_-":
        return f"must not start with '{key[0]}'"
    if len(key.encode()) > LONGEST:
        return f"is too long, max length is {LONGEST}"
    if not _ID.fullmatch(key):
        return "must contain only letters, digits, underscores, and hyphens, and must start with a letter or digit"
    return None
