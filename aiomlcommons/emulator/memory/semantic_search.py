"""Handlers of semantic and hybrid search for long-term memories, which are refused: the emulator has none."""

from __future__ import annotations

from aiomlcommons.api.common import FunctionName, Hits
from aiomlcommons.api.memory_documents import MemoryDocument
from aiomlcommons.api.memory_search import HybridSearch, SemanticSearch
from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.emulator.errors import NO_EMBEDDING, Refused, refused, status_error
from aiomlcommons.emulator.memory.containers import configuration_in
from aiomlcommons.emulator.registry import handles


@handles(SemanticSearch)
async def semantic(cluster: Cluster, request: SemanticSearch) -> Hits[MemoryDocument]:
    """Refuse a container without an embedding model, then (501) every other one."""
    raise _refusal(cluster, request.memory_container_id, "Semantic")


@handles(HybridSearch)
async def hybrid(cluster: Cluster, request: HybridSearch) -> Hits[MemoryDocument]:
    """Refuse a container without an embedding model, then (501) every other one."""
    raise _refusal(cluster, request.memory_container_id, "Hybrid")


def _no_k(kind: str) -> Refused:
    """Return the error for sparse embeddings: the server builds a query that its own search rejects."""
    reason, column = "[neural_sparse] query does not support [k] field", {"Semantic": 96, "Hybrid": 145}[kind]
    cause = {"type": "parsing_exception", "reason": reason, "line": 1, "col": column}
    error = {"type": "exception", "reason": f"{kind} search execution failed: {reason}", "caused_by": cause}
    return Refused(500, {"error": {"root_cause": [cause], **error}, "status": 500})


def _refusal(cluster: Cluster, container_id: str, kind: str) -> Refused:
    configuration = configuration_in(cluster, container_id)
    if configuration.embedding_model_id is None:
        return status_error(400, NO_EMBEDDING.format(kind=kind))
    if configuration.embedding_model_type == FunctionName.SPARSE_ENCODING:
        return _no_k(kind)
    return refused(501, "not_emulated", "the emulator has no long-term memories to search by meaning")
