"""Models and pipelines side by side, on the user's own queries: ``await ml.evaluate(queries, judgments, systems)``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiomlcommons.lazy import lazily

if TYPE_CHECKING:
    from aiomlcommons.evaluating.comparison import Figures
    from aiomlcommons.evaluating.evaluation import Evaluation
    from aiomlcommons.evaluating.systems import Searched

__all__ = ["Evaluation", "Figures", "Searched"]

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazily(
        __name__,
        __all__,
        {
            ".comparison": "Figures",
            ".evaluation": "Evaluation",
            ".systems": "Searched",
        },
    )
