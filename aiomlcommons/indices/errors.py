"""The errors of indices."""

from __future__ import annotations

from aiomlcommons.errors import MLCommonsError


class IndexMismatch(MLCommonsError):
    """An index that exists does not fit what is to be written; the message names each difference, and the remedy."""
