"""What mappings tell of vectors and texts."""

from __future__ import annotations

from typing import Any

from aiomlcommons.searching.fields import common_fields, fields_of

DENSE = {"type": "knn_vector", "dimension": 384}


def mapped(**properties: Any) -> dict[str, Any]:
    return {"properties": properties}


def test_fields_within_objects_have_whole_names_and_know_their_nested_object() -> None:
    found = fields_of(
        mapped(
            text={"type": "text", "fields": {"keyword": {"type": "keyword"}}},
            book={"properties": {"title_vector": DENSE}},
            chunks={
                "type": "nested",
                "properties": {"knn": DENSE, "at": {"properties": {"page": {"type": "integer"}}}},
            },
        )
    )
    assert list(found) == ["text", "book.title_vector", "chunks.knn", "chunks.at.page"]
    assert [field.nested for field in found.values()] == [None, None, "chunks", "chunks"]
    assert str(found["book.title_vector"]) == "book.title_vector (knn_vector, 384 dimensions)"
    assert [name for name, field in found.items() if field.holds_vectors] == ["book.title_vector", "chunks.knn"]


def test_a_semantic_field_has_the_vectors_that_the_server_keeps_beside_it() -> None:
    found = fields_of(
        mapped(
            text={"type": "semantic", "model_id": "m", "raw_field_type": "text"},
            text_semantic_info={"properties": {"embedding": DENSE, "model": {"properties": {"id": {"type": "text"}}}}},
            words={"type": "semantic", "model_id": "m", "search_model_id": "s", "semantic_info_field_name": "info"},
            info={"properties": {"chunks": {"properties": {"embedding": {"type": "rank_features"}}}}},
        )
    )
    assert list(found) == ["text", "words"]
    assert (found["text"].is_dense, found["text"].dimension, found["text"].model_id) == (True, 384, "m")
    assert found["text"].vectors == "text_semantic_info"
    assert (found["words"].is_dense, found["words"].model_id, found["words"].vectors) == (False, "s", "info")


def test_a_binary_field_has_a_number_for_eight_dimensions() -> None:
    found = fields_of(mapped(v={**DENSE, "data_type": "binary"}, trained={"type": "knn_vector", "model_id": "t"}))
    assert (found["v"].dimension, found["v"].length) == (384, 48)
    assert (found["trained"].dimension, found["trained"].length) == (None, None)


def test_only_fields_that_all_indices_have_alike_are_common() -> None:
    first = mapped(v=DENSE, w={"type": "rank_features"}, text={"type": "text"})
    second = mapped(v={**DENSE, "dimension": 16}, text={"type": "text"})
    assert list(common_fields({"a": first, "b": second})) == ["text"]
    assert list(common_fields({"a": first})) == ["v", "w", "text"]
    assert list(common_fields({"a": {}, "b": first})) == []
