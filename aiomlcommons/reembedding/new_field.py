"""Which field the new vectors have, and whether they fit into it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiomlcommons.indices.mapping import field_of
from aiomlcommons.indices.vector_field import VectorField
from aiomlcommons.reembedding.errors import CannotReembed
from aiomlcommons.reembedding.facts import IndexFacts
from aiomlcommons.reembedding.task import of
from aiomlcommons.reembedding.wanted import Wanted
from aiomlcommons.searching.fields import Field
from aiomlcommons.spelling import SUGGESTED, some_of

_DEFAULT_FIELD = "embedding"


def field_of_vectors(wanted: Wanted, source: IndexFacts) -> tuple[str, Field | None]:
    """Return the field of the new vectors, and that of the old ones, if there is one. Raises CannotReembed."""
    vectors = source.vectors
    if wanted.in_place:
        return _second_field(wanted.field or "", source)
    if wanted.field is None:
        if len(vectors) > 1:
            names = some_of(map(str, vectors.values()), SUGGESTED)
            raise CannotReembed(
                f"index {source.name} has several fields of vectors, {names}: name with field= (--field) the one whose "
                "vectors are replaced, or a new one"
            )
        field = next(iter(vectors), _DEFAULT_FIELD)
    else:
        field = wanted.field
    old = vectors.get(field) or (next(iter(vectors.values())) if len(vectors) == 1 else None)
    _check_free(source, field)
    if old is not None and old.nested is not None and old.name == field:
        raise CannotReembed(
            f"the field {field!r} of index {source.name} is in the nested objects {old.nested!r}, of which a document "
            "has several: the vectors of chunks are made by a pipeline; make an index for the new model with a "
            "pipeline of it, and copy the documents by ml.ingest"
        )
    return field, old


def _second_field(field: str, source: IndexFacts) -> tuple[str, Field | None]:
    for name in (field, of(field)):
        if field_of(source.mappings, name):
            raise CannotReembed(
                f"index {source.name} has a field {name!r} already: name with field= (--field) a new one, or with "
                "alias= (--alias) the alias by which a new index takes the place of this one"
            )
    vectors = source.vectors
    return field, next(iter(vectors.values())) if len(vectors) == 1 else None


def _check_free(source: IndexFacts, field: str) -> None:
    """Raise CannotReembed if the field is one of something else than vectors."""
    there = field_of(source.mappings, field)
    if there and field not in source.vectors:
        raise CannotReembed(
            f"the field {field!r} of index {source.name} is of type {there.get('type', 'object')}, and holds no "
            "vectors: name another one with field= (--field)"
        )
    of_it = field_of(source.mappings, of(field))
    if of_it and of_it.get("type") != "keyword":
        raise CannotReembed(
            f"index {source.name} has a field {of(field)!r} of type {of_it.get('type', 'object')}, where the "
            "re-embedding keeps what tells of which text a vector is: name another field= (--field)"
        )


def check_fit(mapping: Mapping[str, Any], field: str, needed: VectorField, model: str) -> None:
    """Raise CannotReembed if the user's own body makes a field in which the model's vectors do not fit."""
    kind = mapping.get("type")
    words = (
        [f"is of type {kind}, and these need {needed.type}"] if kind != needed.type else list(needed.differing(mapping))
    )
    if words:
        raise CannotReembed(
            f"the vectors of {model} do not fit into the field {field!r} as body= makes it: it "
            f"{'; it '.join(words)}; leave the field out of the body, or name another model"
        )
