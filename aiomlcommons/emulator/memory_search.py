"""Long-term memories by their meaning: which container has none to search, and that no container is searched."""

from __future__ import annotations

from aiomlcommons.api.common import Hits
from aiomlcommons.api.memory_documents import MemoryDocument
from aiomlcommons.api.memory_search import HybridSearch, SemanticSearch
from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.emulator.errors import NO_EMBEDDING, Refused, refused, status_error
from aiomlcommons.emulator.memory_containers import configuration_in
from aiomlcommons.emulator.registry import handles


@handles(SemanticSearch)
async def semantic(cluster: Cluster, request: SemanticSearch) -> Hits[MemoryDocument]:
    """Refuses: a container without an embedding model, and then any."""
    raise _refusal(cluster, request.memory_container_id, "Semantic")


@handles(HybridSearch)
async def hybrid(cluster: Cluster, request: HybridSearch) -> Hits[MemoryDocument]:
    """Refuses: a container without an embedding model, and then any."""
    raise _refusal(cluster, request.memory_container_id, "Hybrid")


def _refusal(cluster: Cluster, container_id: str, kind: str) -> Refused:
    if configuration_in(cluster, container_id).embedding_model_id is None:
        return status_error(400, NO_EMBEDDING.format(kind=kind))
    return refused(501, "not_emulated", "the emulator has no long-term memories to search by meaning")
