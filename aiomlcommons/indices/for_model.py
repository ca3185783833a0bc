"""An index for a model: which fields it is to have, and creating it, or comparing the one that exists."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import attrs

from aiomlcommons.api.common import FunctionName
from aiomlcommons.errors import DecodeError, InvalidRequest
from aiomlcommons.indices.creation import create_index, mappings_of
from aiomlcommons.indices.differences import check_field, unsearchable, unsuited
from aiomlcommons.indices.errors import IndexMismatch
from aiomlcommons.indices.mapping import field_of, index_body
from aiomlcommons.indices.model_field import dimension_of, is_sparse, spaces_of
from aiomlcommons.indices.plain_fields import KEYWORD, PlainField
from aiomlcommons.indices.semantic_field import SemanticField
from aiomlcommons.indices.vector_field import Field, VectorField

if TYPE_CHECKING:
    from aiomlcommons.client import Client
    from aiomlcommons.lifecycle.ensured import EnsuredModel

log = logging.getLogger("aiomlcommons")
# What any model embeds, to learn the length of its vectors.
ANY_TEXT = "text"


@attrs.frozen
class ModelIndex:
    """An index that fits a model.

    Attributes:
        index: The name that was asked for: its own, or an alias.
        created: Whether this call created it; else it was there, and is as it was asked for.
        field: The field of the vectors, or the semantic field.
        mapping: The mapping of that field.
    """

    index: str
    created: bool
    field: str
    mapping: Mapping[str, Any]


async def vectors_of(
    ml: Client, model: EnsuredModel, *, dimension: int | None, sparse: bool | None, asked: Mapping[str, Any]
) -> VectorField:
    """Return the field that a model's vectors need. A remote model that does not tell their length embeds a word."""
    record = model.model
    if is_sparse(record) if sparse is None else sparse:
        return VectorField(sparse=True, **asked)
    known = dimension_of(record)
    if None not in {dimension, known} and dimension != known:
        raise InvalidRequest(f"dimension: the vectors of {record.name} are of dimension {known}, not {dimension}")
    dimension = dimension or known or await _dimension_asked(ml, model)
    return VectorField(dimension=dimension, suits=spaces_of(record), **asked)


async def _dimension_asked(ml: Client, model: EnsuredModel) -> int:
    record = model.model
    if record.algorithm != FunctionName.REMOTE:
        raise InvalidRequest(
            f"{record.name} is of the kind {record.algorithm}, whose configuration tells no embedding_dimension: name "
            "a model that embeds texts, or its dimension="
        )
    try:
        return int((await ml.embed_many(model.model_id, [ANY_TEXT])).shape[1])
    except DecodeError as error:
        raise InvalidRequest(
            f"{record.name} answers with no dense vector: if its vectors are sparse, say sparse=True, else its "
            f"dimension= ({error})"
        ) from error


def fields_for(
    model: EnsuredModel,
    vectors: VectorField,
    *,
    field: str,
    text_field: str | None,
    id_field: str | None,
    analyzer: str | None,
    semantic: bool,
) -> dict[str, Field]:
    """Return the fields of an index for a model, that of its vectors first. Raises InvalidRequest."""
    ids: dict[str, Field] = {} if id_field is None else {id_field: KEYWORD}
    if semantic:
        if text_field is None or analyzer is not None:
            raise InvalidRequest(
                "semantic=True makes the text field a semantic one: name text_field=, and no analyzer="
            )
        return {text_field: SemanticField.of(model.model_id, model.model, vectors), **ids}
    text = PlainField("text", {} if analyzer is None else {"analyzer": analyzer})
    texts: dict[str, Field] = {} if text_field is None else {text_field: text}
    found: dict[str, Field] = {field: vectors, **texts, **ids}
    if len(found) < 1 + len(texts) + len(ids):
        raise InvalidRequest("field, text_field and id_field must be different fields")
    return found


async def made(ml: Client, index: str, fields: Mapping[str, Field], body: Mapping[str, Any]) -> ModelIndex:
    """Create an index with fields, or compare the one that exists. Raises IndexMismatch, NotSupported, ApiError."""
    there = await mappings_of(ml, index)
    created = there is None and await create_index(ml, index, index_body(body, fields))
    there = there or await mappings_of(ml, index) or {}
    main = next(iter(fields))
    if not created:
        await _compare(ml, index, there, fields, body)
    return ModelIndex(index, created, main, field_of(next(iter(there.values()), {}), main))


async def _compare(
    ml: Client,
    index: str,
    there: Mapping[str, Mapping[str, Any]],
    fields: Mapping[str, Field],
    body: Mapping[str, Any],
) -> None:
    """Compare the indices behind a name with what is wanted. Raises IndexMismatch, ApiError."""
    main, vectors = next(iter(fields.items()))
    for name, mappings in there.items():
        for field, wanted in fields.items():
            # A text or id that the mapping lacks comes with the first document, and one of the body is the caller's.
            if field == main or (field_of(mappings, field) and not field_of(body.get("mappings") or {}, field)):
                check_field(name, mappings, field, wanted)
        if isinstance(vectors, VectorField) and (words := unsuited(name, mappings, main, vectors)):
            log.warning("%s", words)
    for name, one in (await ml.indices.settings(index)).items():
        if words := unsearchable(name, one.settings["index"], vectors):
            raise IndexMismatch(words)
