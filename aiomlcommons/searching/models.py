"""The model that embeds what is searched for: the one that is named, or the one that made the vectors of a field."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import attrs

from aiomlcommons.api.common import FunctionName
from aiomlcommons.api.model_records import DEPLOYED, DEPLOYING, PARTIALLY_DEPLOYED, Model
from aiomlcommons.errors import InvalidRequest, MLCommonsError, NotFound
from aiomlcommons.indices.model_field import dimension_of, is_sparse
from aiomlcommons.lifecycle.names import named
from aiomlcommons.lifecycle.spec import ExistingModel
from aiomlcommons.record import kind_of
from aiomlcommons.searching.errors import NotSearchable
from aiomlcommons.searching.facts import Facts
from aiomlcommons.searching.fields import Field
from aiomlcommons.spelling import SUGGESTED, some_of

if TYPE_CHECKING:
    from aiomlcommons.client import Client

_EMBEDS = {
    FunctionName.TEXT_EMBEDDING,
    FunctionName.SPARSE_ENCODING,
    FunctionName.SPARSE_TOKENIZE,
    FunctionName.REMOTE,
}
_AT_HAND = DEPLOYED | PARTIALLY_DEPLOYED | DEPLOYING
# How many registered models are looked at for a suggestion, newest first.
_LOOKED_AT = 50


@attrs.frozen
class QueryModel:
    """A model that embeds what is searched for. ``why`` says how it was found."""

    model_id: str
    record: Model
    why: str

    @property
    def is_at_hand(self) -> bool:
        """Whether the server can ask it. It deploys a remote one by itself, and others are asked where they are."""
        state = self.record.model_state
        return self.record.algorithm == FunctionName.REMOTE or state is None or state in _AT_HAND

    def misfit(self, field: Field) -> str:
        """Return why what the model makes is not what a field holds; empty if it may be."""
        return misfit(self.record, field)


def misfit(model: Model, field: Field) -> str:
    """Return why what a model makes is not what a field holds; empty if it may be."""
    kind = model.algorithm
    if kind is not None and kind not in _EMBEDS:
        return f"is a model of the kind {kind}, which makes no vectors"
    dimension = dimension_of(model)
    # A remote model need not say what it makes.
    makes_dense = kind == FunctionName.TEXT_EMBEDDING or dimension is not None
    if field.is_dense and is_sparse(model):
        return "makes weights of tokens, and the field holds dense vectors"
    if not field.is_dense and makes_dense and not is_sparse(model):
        return "makes dense vectors, and the field holds weights of tokens"
    if field.is_dense and None not in {dimension, field.dimension} and dimension != field.dimension:
        return f"makes vectors of {dimension} dimensions, and the field holds those of {field.dimension}"
    if field.holds_bytes and kind == FunctionName.TEXT_EMBEDDING:
        return "makes vectors of floats, as local models do, and the field holds bytes"
    return ""


async def given_model(ml: Client, name_or_id: str) -> QueryModel:
    """Return the model that has an id or a name. Raises NoSuchModel, NotSearchable, with the remedy."""
    if not isinstance(name_or_id, str):
        raise InvalidRequest(f"model must be the id or the name of a model, not {kind_of(name_or_id)}")
    found = await named(ml, name_or_id)
    if not isinstance(found, ExistingModel):
        found = await named(ml, found.name)  # the name under which a pretrained one is registered
    if not isinstance(found, ExistingModel):
        raise NotSearchable(
            f"the cluster has no model {found.name!r} yet: `await ml.models.ensure({found.name!r})` registers and "
            "deploys it"
        )
    return QueryModel(found.model_id, await ml.models.get(found.model_id), "it is the one that was named")


async def own_model(ml: Client, facts: Facts, field: Field) -> QueryModel | None:
    """Return the model that the index itself names for a field; None if it names none.

    Raises NotSearchable if it names several, or there is no such model.
    """
    ids: dict[str, str] = {}
    if field.model_id is not None:
        ids = {field.model_id: f"the mapping of {field.name} names it"}
    elif (found := facts.pipelines.query_model(field.name)) is not None:
        ids = {found: f"the search pipeline {facts.pipelines.search_pipeline} of the index names it"}
    else:
        for one in facts.pipelines.embedders:
            if one.fills(field.name):
                ids[one.model_id] = f"the ingest pipeline {one.pipeline} of the index embeds by it"
    if not ids:
        return None
    if len(ids) > 1:
        raise NotSearchable(
            f"the ingest pipelines of index {facts.index} embed {field.name} by several models ({', '.join(ids)}), "
            "whose vectors cannot be compared: name the one to search by as model= (--model)"
        )
    ((model_id, why),) = ids.items()
    try:
        return QueryModel(model_id, await ml.models.get(model_id), why)
    except NotFound as error:
        raise NotSearchable(
            f"there is no model {model_id!r}, although {why}: name the one that made the vectors of "
            f"{field.name} by model= (--model)"
        ) from error


async def suitable(ml: Client, field: Field) -> str:
    """Return which models of the cluster would fit a field, for a message; empty if that is not known."""
    found: list[str] = []
    with suppress(MLCommonsError):  # the suggestion must not hide what it is about
        page = await ml.models.search({"size": _LOOKED_AT, "sort": [{"created_time": "desc"}]})
        models = [(hit.id, hit.source) for hit in page if hit.has_source]
        found = [f"{model.name} ({key})" for key, model in models if model.is_deployed and not misfit(model, field)]
    return f"; models that fit are {some_of(found, SUGGESTED)}" if found else ""
