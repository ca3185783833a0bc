"""Indices whose vectors are made or kept in a way that is not re-embedded: each is refused with what to do instead."""

from __future__ import annotations

from typing import Any

import pytest

from aiomlcommons.reembedding.errors import CannotReembed
from aiomlcommons.reembedding.facts import IndexFacts
from aiomlcommons.reembedding.source_checks import check_state, check_text
from tests.support.aliased_index import NEW, world

VECTOR = {"type": "knn_vector", "dimension": 384}


@pytest.mark.asyncio
async def test_vectors_of_chunks_in_nested_objects_are_refused() -> None:
    chunks = {"type": "nested", "properties": {"vector": VECTOR}}
    async with world(filled=False) as given:
        body: Any = {"properties": {"text": {"type": "text"}, "chunks": chunks}}
        await given.ml.indices.create("parts", mappings=body, settings={"index": {"knn": True}})
        await given.ml.request("POST", "/_aliases", body={"actions": [{"add": {"index": "parts", "alias": "p"}}]})
        with pytest.raises(CannotReembed, match=r"is in the nested objects 'chunks'.*copy the documents by ml\.ingest"):
            await given.ml.reembed("parts", model=NEW, alias="p", field="chunks.vector")


def test_a_semantic_field_is_refused() -> None:
    mappings = {"properties": {"text": {"type": "semantic", "model_id": "m"}}}
    with pytest.raises(CannotReembed, match=r"is semantic: the server embeds it itself.*create_for"):
        check_text(facts(mappings=mappings), ["text"])


def test_an_index_of_a_data_stream_is_refused() -> None:
    with pytest.raises(CannotReembed, match="belongs to a data stream"):
        check_state(facts(streams=True))


def facts(**known: Any) -> IndexFacts:
    usual: dict[str, Any] = {"mappings": {}, "settings": {}, "aliases": {}, "documents": 1}
    return IndexFacts(name="own", uuid="u", **usual | known)
