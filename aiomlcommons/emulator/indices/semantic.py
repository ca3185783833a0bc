"""Semantic fields: texts that the server embeds by itself, and the fields beside them that hold the embeddings."""

from __future__ import annotations

from typing import Any

import attrs

from aiomlcommons.emulator.indices.state import UserIndex

INFO = "_semantic_info"


@attrs.frozen
class Target:
    """Where a query of a semantic field really looks: the field of embeddings, and the model that made them."""

    path: str
    model_id: str
    is_sparse: bool
    # The path of chunks, where texts were cut into such.
    chunks: str | None = None
    analyzer: str | None = None

    def within(self, query: dict[str, Any]) -> dict[str, Any]:
        """Return a query of embeddings so that the best chunk counts, where there are chunks."""
        if self.chunks is None:
            return query
        return {"nested": {"path": self.chunks, "query": query, "score_mode": "max"}}


def target_of(index: UserIndex, name: str) -> Target | None:
    """Return where a query of a semantic field looks; None for a field of another type."""
    fields = index.fields()
    field = fields.get(name)
    if field is None or field.spec.get("type") != "semantic":
        return None
    info = str(field.spec.get("semantic_info_field_name", ""))
    above = name.rpartition(".")[0]
    root = (f"{above}." if above else "") + (info or f"{name.rpartition('.')[2]}{INFO}")
    chunks = f"{root}.chunks" if f"{root}.chunks" in fields else None
    path = f"{chunks or root}.embedding"
    model_id = str(field.spec.get("search_model_id") or field.spec["model_id"])
    is_sparse = path in fields and fields[path].type != "knn_vector"
    return Target(path, model_id, is_sparse, chunks, field.spec.get("semantic_field_search_analyzer"))
