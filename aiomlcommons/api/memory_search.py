"""Semantic and hybrid search of long-term memories."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import KW_ONLY
from typing import Any

from aiomlcommons.api import checks
from aiomlcommons.api.common import Hits
from aiomlcommons.api.memory_documents import MemoryDocument
from aiomlcommons.endpoint import Request, endpoint
from aiomlcommons.record import mixin


@mixin
class SearchInput:
    """Filters and size of a search of long-term memories. ``k`` is 1 to 10,000 (default 10)."""

    k: int | None = None
    namespace: Mapping[str, str] | None = None
    tags: Mapping[str, str] | None = None
    min_score: float | None = None
    filter: Mapping[str, Any] | None = None

    def problems(self) -> Iterator[str]:
        yield from checks.between(self, "k", 1, 10_000)


@endpoint(
    "POST /_plugins/_ml/memory_containers/{memory_container_id}/memories/long-term/_semantic_search",
    since="3.6",
    also=["GET /_plugins/_ml/memory_containers/{memory_container_id}/memories/long-term/_semantic_search"],
    repeatable=True,
)
class SemanticSearch(SearchInput, Request[Hits[MemoryDocument]]):
    """Search the long-term memories by semantic similarity to a text.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/agentic-memory-apis/semantic-search-memory/
    """

    memory_container_id: str
    query: str


@endpoint(
    "POST /_plugins/_ml/memory_containers/{memory_container_id}/memories/long-term/_hybrid_search",
    since="3.6",
    also=["GET /_plugins/_ml/memory_containers/{memory_container_id}/memories/long-term/_hybrid_search"],
    repeatable=True,
)
class HybridSearch(SearchInput, Request[Hits[MemoryDocument]]):
    """Search the long-term memories by keywords (BM25) and semantics. The weights (default 0.5 each) must sum to 1.

    https://docs.opensearch.org/latest/ml-commons-plugin/api/agentic-memory-apis/hybrid-search-memory/
    """

    memory_container_id: str
    query: str
    _: KW_ONLY
    bm25_weight: float | None = None
    neural_weight: float | None = None

    def problems(self) -> Iterator[str]:
        yield from super().problems()
        weights = (self.bm25_weight, self.neural_weight)
        total = sum(0.5 if weight is None else weight for weight in weights)
        if weights != (None, None) and abs(total - 1) > 1e-6:
            yield f"bm25_weight and neural_weight (default 0.5 each) must add up to 1, not {total:g}"
