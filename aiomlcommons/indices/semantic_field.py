"""A field of text from which the server itself makes the vectors, by a model (``semantic``).

https://docs.opensearch.org/latest/mappings/supported-field-types/semantic/
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from aiomlcommons.api.model_records import Model
from aiomlcommons.errors import InvalidRequest
from aiomlcommons.indices.model_field import space_named
from aiomlcommons.indices.vector_field import USUAL_METHOD, VectorField

_SPACE = "additional_config.space_type"


@attrs.frozen(kw_only=True)
class SemanticField:
    """A semantic field, and the vectors that the server keeps beside it in ``FIELD_semantic_info``."""

    model_id: str
    vectors: VectorField

    @classmethod
    def of(cls, model_id: str, model: Model, vectors: VectorField) -> SemanticField:
        """Return the field for a model. Raises InvalidRequest if that lacks what the server needs for it."""
        if not vectors.sparse and space_named(model) is None:
            raise InvalidRequest(
                f"a semantic field needs the space of its model's vectors, and the configuration of {model.name} does "
                f"not tell it: set {_SPACE} with ml.models.update({model_id!r}, model_config=...), which takes the "
                "whole configuration"
            )
        return cls(model_id=model_id, vectors=vectors)

    def __attrs_post_init__(self) -> None:
        vectors = self.vectors
        if vectors.space_type is not None:
            raise InvalidRequest(f"space_type: a semantic field has that of its model's {_SPACE}: leave it out")
        if vectors.sparse and vectors.method is not None:
            raise InvalidRequest("method: a semantic field of a sparse model has none: leave it out")

    @property
    def type(self) -> str:
        """The type of the field."""
        return "semantic"

    @property
    def settings(self) -> dict[str, Any]:
        """The settings that an index with such a field needs."""
        return self.vectors.settings

    def mapping(self, _: Mapping[str, Any], /) -> dict[str, Any]:
        """Return the mapping of the field, from which the server makes those of the vectors."""
        asked = self.vectors.asked
        method = {"dense_embedding_config": {"method": {"name": USUAL_METHOD, **asked}}} if asked else {}
        return {"type": self.type, "model_id": self.model_id, **method}

    def differing(self, found: Mapping[str, Any]) -> Iterator[str]:
        """Yield how the mapping of a semantic field differs."""
        if found.get("model_id") != self.model_id:
            yield f"embeds with the model {found.get('model_id')}, not {self.model_id}"
        method = (found.get("dense_embedding_config") or {}).get("method")
        if method is not None:
            yield from self.vectors.differing({"method": method})
