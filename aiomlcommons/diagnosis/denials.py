"""What the security plugin refuses, and which privilege would allow it."""

from __future__ import annotations

import re

from aiomlcommons.errors import ApiError, Forbidden, MLCommonsError

_MISSING = re.compile(r"no permissions for \[([^\]]+)\]")


def missing_privilege(error: MLCommonsError) -> str | None:
    """Return the privilege whose lack an error reports, empty if it names none; None if it is another error.

    Some routes report it under another status than 403, and in a body of their own.
    """
    if not isinstance(error, ApiError):
        return None
    if found := _MISSING.search(error.response.text):
        return found[1]
    return "" if type(error) is Forbidden else None


def why(error: MLCommonsError) -> str:
    """Return why something could not be found out, in a few words if a privilege was missing."""
    privilege = missing_privilege(error)
    return f"the user lacks {privilege}" if privilege else str(error)
