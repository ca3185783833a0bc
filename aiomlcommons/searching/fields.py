"""What the mappings of an index tell of its fields: those that hold vectors, and those that hold texts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

VECTORS = ("knn_vector", "rank_features", "sparse_vector", "semantic")
# How the server calls what it keeps beside a semantic field.
_INFO = "_semantic_info"
# A number of a binary vector holds as many dimensions.
_BITS = 8


@attrs.frozen
class Field:
    """A field by its whole name.

    Attributes:
        name: The name, such as ``book.title``.
        spec: Its mapping.
        embedding: The mapping of its vectors: its own, or for a semantic field the one that the server makes.
        vectors: Where a document has its vectors: its own name, or that of what the server makes.
        nested: The nested object that it is in.
    """

    name: str
    spec: Mapping[str, Any] = attrs.field(repr=False)
    embedding: Mapping[str, Any] = attrs.field(repr=False)
    vectors: str
    nested: str | None = None

    @property
    def type(self) -> str:
        """The type of the field."""
        return str(self.spec.get("type", "object"))

    def __str__(self) -> str:
        more = f", {self.dimension} dimensions" if self.is_dense and self.dimension else ""
        return f"{self.name} ({self.type}{more})"

    @property
    def holds_vectors(self) -> bool:
        """Whether it is found by vectors or weights of tokens."""
        return self.type in VECTORS

    @property
    def is_dense(self) -> bool:
        """Whether it holds dense vectors, not weights of tokens."""
        return self.embedding.get("type") == "knn_vector"

    @property
    def dimension(self) -> int | None:
        """The dimension of its dense vectors; None if its mapping does not tell, as that of a trained model."""
        dimension = self.embedding.get("dimension")
        return None if dimension is None else int(dimension)

    @property
    def holds_bytes(self) -> bool:
        """Whether its dense vectors are of bytes, or of bits, eight in a byte."""
        return str(self.embedding.get("data_type", "")).lower() in {"byte", "binary"}

    @property
    def length(self) -> int | None:
        """How many numbers a dense vector has: one of a binary field holds eight dimensions."""
        is_binary = str(self.embedding.get("data_type", "")).lower() == "binary"
        return self.dimension // _BITS if is_binary and self.dimension else self.dimension

    @property
    def model_id(self) -> str | None:
        """The model by which the server embeds what is searched for, if the field is semantic."""
        found = self.spec.get("search_model_id") or self.spec.get("model_id") if self.type == "semantic" else None
        return None if found is None else str(found)


def fields_of(mappings: Mapping[str, Any]) -> dict[str, Field]:
    """Return the fields of an index by name, also those within objects; the server's own beside semantic ones not."""
    return {field.name: field for field in _walk(mappings.get("properties") or {}, "", None)}


def common_fields(indices: Mapping[str, Mapping[str, Any]]) -> dict[str, Field]:
    """Return the fields that are the same in all of some indices: of one type, and of one dimension."""
    first, *others = map(fields_of, indices.values())
    return {name: field for name, field in first.items() if all(_alike(field, other.get(name)) for other in others)}


def _walk(properties: Mapping[str, Any], above: str, nested: str | None) -> Iterator[Field]:
    beside = {_info_name(name, spec) for name, spec in properties.items() if spec.get("type") == "semantic"}
    for name, spec in properties.items():
        if name in beside:
            continue
        whole = f"{above}{name}"
        if spec.get("type") == "semantic":
            info = _info_name(name, spec)
            yield Field(whole, spec, _embedding_of(properties.get(info) or {}), f"{above}{info}", nested)
        elif "properties" in spec:
            yield from _walk(spec["properties"], f"{whole}.", whole if spec.get("type") == "nested" else nested)
        else:
            yield Field(whole, spec, spec, whole, nested)


def _info_name(name: str, spec: Mapping[str, Any]) -> str:
    return str(spec.get("semantic_info_field_name") or f"{name}{_INFO}")


def _embedding_of(info: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the mapping of the vectors of a semantic field, which may be those of chunks."""
    properties: Mapping[str, Any] = info.get("properties") or {}
    if "chunks" in properties:
        return _embedding_of(properties["chunks"])
    found: Mapping[str, Any] = properties.get("embedding") or {}
    return found


def _alike(field: Field, other: Field | None) -> bool:
    return other is not None and (field.type, field.dimension, field.nested, field.model_id) == (
        other.type,
        other.dimension,
        other.nested,
        other.model_id,
    )
