"""Which model fills which field, as the processors of pipelines tell."""

from __future__ import annotations

import pytest

from aiomlcommons.api.pipelines import IngestPipeline
from aiomlcommons.searching.pipelines import Embedder, embedders_in


def found(*processors: object) -> list[Embedder]:
    pipeline = IngestPipeline.from_dict({"processors": list(processors)})
    return list(embedders_in("p", pipeline))


def test_each_pair_of_a_field_map_is_an_embedder() -> None:
    assert found(
        {"set": {"field": "a", "value": 1}},
        {"text_embedding": {"model_id": "m", "field_map": {"text": "embedding", "book": {"title": "vector"}}}},
        {"sparse_encoding": {"model_id": "s", "field_map": {"text": "weights"}}},
        {"text_image_embedding": {"model_id": "i", "embedding": "v", "field_map": {"text": "t", "image": "p"}}},
    ) == [
        Embedder("p", "m", "text", "embedding"),
        Embedder("p", "m", "book.title", "book.vector"),
        Embedder("p", "s", "text", "weights"),
        Embedder("p", "i", "t", "v"),
    ]


@pytest.mark.parametrize(
    ("source", "target", "field"),
    [
        ("text", "embedding", "embedding"),
        ("book.title", "vector", "book.vector"),  # the server puts it beside what it read
        ("chunks", "chunk_embedding", "chunk_embedding.knn"),
        ("chunks", "chunk_weights", "chunk_weights.sparse_encoding"),
    ],
)
def test_an_embedder_knows_the_field_that_it_fills(source: str, target: str, field: str) -> None:
    assert Embedder("p", "m", source, target).fills(field)
    assert not Embedder("p", "m", source, target).fills("other")
