"""Check of the vectors of a job: all must have the dimension of the model, and one of another is a dead letter."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import Any

import anyio
import attrs
import numpy as np

from aiomlcommons.inference.vectors import Vectors
from aiomlcommons.ingest.errors import BadVector, ModelFails
from aiomlcommons.ingest.types import Sparse


@attrs.define(eq=False)
class VectorCheck:
    """Knows the ``dimension`` of the model's vectors: as configured, as in an earlier run, or as the first ones have.

    Two vectors or more that agree are believed. A single one may be that of a poison document, so that the vector of a
    harmless text decides, which ``ask`` returns (None if the model fails on it). Sparse vectors have no dimension.
    """

    ask: Callable[[], Awaitable[Vectors | Sparse | None]]
    dimension: int | None = None
    _asking: anyio.Lock = attrs.field(factory=anyio.Lock)

    async def __call__(self, vectors: Vectors | Sparse) -> None:
        """Learn the dimension if it is not known yet. Raises BadVector unless all vectors are fit."""
        if not isinstance(vectors, np.ndarray):
            if not all(vectors):
                raise BadVector("its sparse vector is empty: the model has no weight for any of its words")
            return
        found = vectors.shape[1]
        if found != await self._expected(vectors, found):
            raise BadVector(f"its vector has dimension {found}, and those of the model have {self.dimension}")

    def verify(self, harmless: Vectors | Sparse) -> None:
        """Raise ModelFails if the vector of a harmless text does not have the dimension either."""
        if isinstance(harmless, np.ndarray) and self.dimension not in {None, harmless.shape[1]}:
            raise ModelFails(
                f"the model's vectors have dimension {harmless.shape[1]}, and those of this job, or in the model's "
                f"configuration, {self.dimension}: the model was changed; begin anew with a new sink and checkpoint"
            )

    async def fitting(self, cached: Mapping[str, Any]) -> dict[str, Any]:
        """Return the cached vectors that are fit; the others must be embedded again."""
        arrays = [vector for vector in cached.values() if isinstance(vector, np.ndarray)]
        if arrays:
            expected = await self._expected(arrays, _common_length(arrays))
            return {text: vector for text, vector in cached.items() if len(vector) == expected}
        return {text: vector for text, vector in cached.items() if vector}

    async def _expected(self, vectors: Collection[Vectors], length: int) -> int:
        """Return the dimension; ``length`` is that of the vectors, or 0 if they differ."""
        if self.dimension is None:
            self.dimension = length if len(vectors) > 1 and length else await self._harmless_length(length)
        elif self.dimension == 8 * length and _is_packed(vectors):
            self.dimension = length
        return self.dimension

    async def _harmless_length(self, otherwise: int) -> int:
        async with self._asking:
            if self.dimension is not None:
                return self.dimension  # learned while this waited
            harmless = await self.ask()
            return harmless.shape[1] if isinstance(harmless, np.ndarray) else otherwise


def _common_length(vectors: list[Vectors]) -> int:
    lengths = set(map(len, vectors))
    return lengths.pop() if len(lengths) == 1 else 0


def _is_packed(vectors: Collection[Vectors]) -> bool:
    # The dimension that is configured for binary vectors counts bits, and a vector has eight of them in each number.
    return all(vector.dtype.itemsize == 1 for vector in vectors)
