"""The mapping that vectors need, and how the one of an index that exists differs."""

from __future__ import annotations

from typing import Any

import pytest

from aiomlcommons import InvalidRequest, ModelConfig
from aiomlcommons.api.common import FunctionName
from aiomlcommons.api.model_records import Model
from aiomlcommons.indices.differences import check_field, unsuited
from aiomlcommons.indices.errors import IndexMismatch
from aiomlcommons.indices.mapping import index_body
from aiomlcommons.indices.model_field import is_sparse, spaces_of
from aiomlcommons.indices.semantic_field import SemanticField
from aiomlcommons.indices.vector_field import VectorField


def model(name: str = "m", algorithm: str = "TEXT_EMBEDDING", **config: Any) -> Model:
    return Model(name=name, algorithm=algorithm, model_config=ModelConfig(**config) if config else None)


def made(given: dict[str, Any] | None = None, **asked: Any) -> dict[str, Any]:
    """Return the mapping of a new index's field ``v``; ``given`` is what the caller's body says of it."""
    body = {"mappings": {"properties": {"v": given}}} if given else {}
    return dict(index_body(body, {"v": VectorField(**asked)})["mappings"]["properties"]["v"])


# ---- what a model tells ----------------------------------------------------------------------------------------------


def test_the_space_that_the_models_configuration_names_counts_first() -> None:
    config: dict[str, Any] = {"additional_config": {"space_type": "l2"}, "normalize_result": True}
    assert spaces_of(model("x-dot-v1", **config)) == ("l2",)


def test_vectors_of_length_1_are_compared_by_the_inner_product_and_rank_alike_in_other_spaces() -> None:
    assert spaces_of(model(normalize_result=True)) == ("innerproduct", "cosinesimil", "l2")


@pytest.mark.parametrize(
    ("name", "spaces"),
    [
        ("huggingface/sentence-transformers/multi-qa-mpnet-base-dot-v1", ("innerproduct",)),
        ("huggingface/sentence-transformers/msmarco-distilbert-base-tas-b", ("innerproduct",)),
        ("huggingface/sentence-transformers/all-MiniLM-L6-v2", ()),
        ("polkadot-base", ()),
        (None, ()),
    ],
)
def test_a_model_for_dot_products_says_so_in_its_name(name: str, spaces: tuple[str, ...]) -> None:
    assert spaces_of(model(name)) == spaces


def test_a_remote_model_tells_by_its_model_type_that_its_vectors_are_sparse() -> None:
    assert is_sparse(model(algorithm=FunctionName.SPARSE_ENCODING))
    assert is_sparse(model(algorithm="REMOTE", model_type="sparse_encoding"))
    assert not is_sparse(model(algorithm="REMOTE", model_type="TEXT_EMBEDDING"))
    assert not is_sparse(model(algorithm="REMOTE"))


# ---- a new field -----------------------------------------------------------------------------------------------------


def test_a_dense_field_leaves_the_engine_to_the_server_and_takes_the_best_space() -> None:
    usual = {"name": "hnsw", "space_type": "cosinesimil"}
    assert made(dimension=3) == {"type": "knn_vector", "dimension": 3, "method": usual}
    assert made(dimension=3, suits=("innerproduct", "l2"))["method"]["space_type"] == "innerproduct"


def test_what_is_asked_for_is_in_the_method() -> None:
    asked = made(dimension=3, engine="faiss", method="ivf", space_type="l2", suits=("innerproduct",))
    assert asked["method"] == {"name": "ivf", "engine": "faiss", "space_type": "l2"}
    parameters = {"m": 8, "ef_construction": 64}
    assert made(dimension=3, method={"name": "hnsw", "parameters": parameters})["method"]["parameters"] == parameters


SETTLED = [{"space_type": "l1"}, {"mode": "on_disk"}, {"data_type": "binary"}, {"model_id": "t"}]


@pytest.mark.parametrize("given", SETTLED)
def test_a_field_that_the_callers_body_settles_gets_no_method(given: dict[str, Any]) -> None:
    assert made(given, dimension=8) == {"type": "knn_vector", "dimension": 8, **given}


def test_a_method_of_the_callers_body_gets_the_space_that_suits() -> None:
    method = {"name": "hnsw", "engine": "lucene"}
    assert made({"method": method}, dimension=3)["method"] == {**method, "space_type": "cosinesimil"}
    assert made({"method": {**method, "space_type": "l2"}}, dimension=3)["method"]["space_type"] == "l2"


def test_sparse_vectors_are_rank_features_or_by_a_method_a_sparse_vector() -> None:
    body = index_body({}, {"v": VectorField(sparse=True)})
    assert body == {"mappings": {"properties": {"v": {"type": "rank_features"}}}, "settings": {}}
    body = index_body({}, {"v": VectorField(sparse=True, method="seismic")})
    field = {"type": "sparse_vector", "method": {"name": "seismic"}}
    assert body == {"mappings": {"properties": {"v": field}}, "settings": {"index": {"sparse": True}}}


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        ({"engine": "lucen"}, "engine: there is no 'lucen'; did you mean 'lucene'"),
        ({"space_type": "cosine"}, "space_type: there is no 'cosine'; did you mean 'cosinesimil'"),
        ({"method": "hsnw"}, "method: there is no 'hsnw'; did you mean 'hnsw'"),
        ({"method": {"parameters": {"m": 8}}}, "method must be a name like 'hnsw'"),
        ({"engine": 7}, "engine must be a name like 'faiss', not 7"),
        ({"sparse": True, "engine": "lucene"}, "engine='lucene' is for dense vectors"),
        ({"sparse": True, "space_type": "l2"}, "space_type='l2' is for dense vectors"),
    ],
)
def test_a_misspelt_or_misplaced_word_is_refused(asked: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidRequest, match=why.replace("(", r"\(")):
        VectorField(**asked)


def test_a_word_that_is_like_no_known_one_is_left_to_the_server() -> None:
    assert made(dimension=3, engine="quantum")["method"]["engine"] == "quantum"


# ---- a field that exists ---------------------------------------------------------------------------------------------


def there(**spec: Any) -> dict[str, Any]:
    return {"properties": {"v": {"type": "knn_vector", "dimension": 3, **spec}, "text": {"type": "text"}}}


def differing(mappings: dict[str, Any], field: str = "v", **asked: Any) -> str:
    with pytest.raises(IndexMismatch) as caught:
        check_field("docs", mappings, field, VectorField(**asked))
    return str(caught.value)


def test_each_difference_is_said_with_the_remedy() -> None:
    index = there(method={"name": "hnsw", "engine": "faiss", "space_type": "l2", "parameters": {"m": 16}})
    method = {"name": "hnsw", "parameters": {"m": 32, "ef_construction": 9}}
    words = differing(index, dimension=4, engine="lucene", method=method, space_type="cosinesimil")
    assert words.startswith(
        "index docs: the field 'v' is of dimension 3, and these vectors of 4; it has the engine faiss, not lucene; it "
        "has the space l2, not cosinesimil; it has the parameter m 16, not 32; no field"
    )


def test_a_field_that_names_no_space_has_that_of_the_server() -> None:
    assert "the space l2, not innerproduct" in differing(there(), dimension=3, space_type="innerproduct")
    assert "the space l1, not l2" in differing(there(space_type="l1"), dimension=3, space_type="l2")


@pytest.mark.parametrize("spec", [{}, {"method": {"name": "hnsw", "engine": "undefined"}}, {"model_id": "trained"}])
def test_what_the_mapping_does_not_tell_is_not_compared(spec: dict[str, Any]) -> None:
    check_field("docs", there(**spec), "v", VectorField(dimension=3, engine="lucene"))


def test_a_field_of_another_type_is_told_with_the_fields_that_would_do() -> None:
    words = differing({"properties": {"doc": {"properties": {"w": {"type": "knn_vector"}}}}})
    assert words.endswith("its fields of this type are 'doc.w': name one with field= (--field)")
    assert differing({}).endswith("add it with ml.indices.put_mapping, or write into a new index")
    kinds = {"properties": {"s": {"type": "semantic"}, "p": {"type": "sparse_vector"}}}
    assert "filled by the server itself" in differing(kinds, "s")
    assert "use a pipeline, or a field of type rank_features" in differing(kinds, "p", sparse=True)


def test_a_space_in_which_the_vectors_rank_otherwise_is_worth_a_warning() -> None:
    dot = VectorField(dimension=3, suits=("innerproduct",))
    assert "compares vectors by l2, and those of this model are for innerproduct" in unsuited("docs", there(), "v", dot)
    for index in (there(space_type="innerproduct"), there(model_id="trained"), there(data_type="binary")):
        assert not unsuited("docs", index, "v", dot)
    assert not unsuited("docs", there(), "v", VectorField(dimension=3))


# ---- semantic fields -------------------------------------------------------------------------------------------------


def test_a_semantic_field_needs_the_space_that_its_models_configuration_names() -> None:
    with pytest.raises(InvalidRequest, match=r"additional_config.space_type with ml.models.update\('id'"):
        SemanticField.of("id", model("m", normalize_result=True), VectorField(dimension=3))
    named = model(additional_config={"space_type": "l2"})
    field = SemanticField.of("id", named, VectorField(dimension=3, engine="lucene"))
    method = {"name": "hnsw", "engine": "lucene"}
    assert field.mapping({}) == {"type": "semantic", "model_id": "id", "dense_embedding_config": {"method": method}}
    with pytest.raises(InvalidRequest, match="space_type: a semantic field has that of its model"):
        SemanticField.of("id", named, VectorField(dimension=3, space_type="l2"))


def test_a_semantic_field_of_another_model_differs() -> None:
    index = {"properties": {"text": {"type": "semantic", "model_id": "other"}}}
    with pytest.raises(IndexMismatch, match="the field 'text' embeds with the model other, not id"):
        check_field("docs", index, "text", SemanticField(model_id="id", vectors=VectorField(sparse=True)))
