"""Vectors by text, held as the answers that brought them, so that those of a batch of new texts need no copy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Any

import attrs
import numpy as np

from aiomlcommons.inference.vectors import Vectors
from aiomlcommons.ingest.types import Sparse


@attrs.define(eq=False)
class FoundVectors:
    """Vectors of distinct texts, from any number of answers."""

    _answers: list[tuple[list[str], Any]] = attrs.field(factory=list)

    def add(self, texts: list[str], vectors: Vectors | Sequence[Any]) -> None:
        """Add an answer: the vectors of these texts."""
        self._answers.append((texts, vectors))

    def update(self, others: FoundVectors) -> None:
        """Add all answers of others."""
        self._answers += others._answers

    def __len__(self) -> int:
        return sum(len(texts) for texts, _ in self._answers)

    @property
    def texts(self) -> list[str]:
        """The texts that have a vector."""
        return list(chain.from_iterable(texts for texts, _ in self._answers))

    def of(self, texts: Sequence[str]) -> Vectors | Sparse:
        """Return the vectors of texts, which may be repeated; all must have one."""
        if len(self._answers) == 1 and self._answers[0][0] == texts:
            return stacked(self._answers[0][1])
        by_text = dict(chain.from_iterable(zip(*answer, strict=True) for answer in self._answers))
        return stacked([by_text[text] for text in texts])


def stacked(vectors: Vectors | Iterable[Any]) -> Vectors | Sparse:
    """Return dense vectors as one array, sparse ones as a list."""
    if isinstance(vectors, np.ndarray):
        return vectors
    rows = list(vectors)
    return np.array(rows) if rows and isinstance(rows[0], np.ndarray) else rows
