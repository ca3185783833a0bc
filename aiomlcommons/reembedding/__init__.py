"""Re-embedding: a new model for an index that is in use, without downtime, and with a way back: ``ml.reembed(...)``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiomlcommons.lazy import lazily

if TYPE_CHECKING:
    from aiomlcommons.reembedding.errors import (
        AnotherRun,
        CannotReembed,
        ForeignVersions,
        NotSwitched,
        ReembeddingError,
        WrongRun,
    )
    from aiomlcommons.reembedding.job import ReembeddingJob
    from aiomlcommons.reembedding.plan import Plan
    from aiomlcommons.reembedding.report import Report

__all__ = [
    "AnotherRun",
    "CannotReembed",
    "ForeignVersions",
    "NotSwitched",
    "Plan",
    "ReembeddingError",
    "ReembeddingJob",
    "Report",
    "WrongRun",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazily(
        __name__,
        __all__,
        {
            ".errors": "AnotherRun CannotReembed ForeignVersions NotSwitched ReembeddingError WrongRun",
            ".job": "ReembeddingJob",
            ".plan": "Plan",
            ".report": "Report",
        },
    )
