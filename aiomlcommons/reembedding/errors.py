"""The errors of re-embedding."""

from __future__ import annotations

from aiomlcommons.errors import MLCommonsError


class ReembeddingError(MLCommonsError):
    """An index cannot be re-embedded, or not as asked; the message names the reason and the remedy."""


class ForeignVersions(ReembeddingError):
    """Writers give the documents versions of their own, by ``version_type``; the message names one of them."""
