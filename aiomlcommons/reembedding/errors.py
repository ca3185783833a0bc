"""The errors of re-embedding."""

from __future__ import annotations

from typing import Any

from aiomlcommons.errors import MLCommonsError


class ReembeddingError(MLCommonsError):
    """An index cannot be re-embedded, or not as asked; the message names the reason and the remedy."""


class ForeignVersions(ReembeddingError):
    """Writers give the documents versions of their own, by ``version_type``; the message names one of them."""


class CannotReembed(ReembeddingError):
    """An index, its alias, its pipelines or the model do not allow a re-embedding; nothing was done yet."""


class WrongRun(ReembeddingError):
    """The new index belongs to a re-embedding of another index or model, or was begun otherwise; nothing was done."""


class AnotherRun(ReembeddingError):
    """Another process is working on this re-embedding."""


class NotSwitched(ReembeddingError):
    """The new index is not as required, so that the alias still leads to the old one.

    Attributes:
        report: What was done and found.
    """

    def __init__(self, message: str, report: Any = None) -> None:
        super().__init__(message)
        self.report = report
