"""The queries of a text: of the vectors of a field, and of the words of another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from aiomlcommons.indices.model_field import is_asymmetric
from aiomlcommons.queries import Query, knn, neural, neural_sparse
from aiomlcommons.searching.choice import Choice
from aiomlcommons.searching.errors import NotSearchable
from aiomlcommons.searching.facts import Facts
from aiomlcommons.searching.fields import Field
from aiomlcommons.searching.wanted import Wanted

if TYPE_CHECKING:
    from aiomlcommons.client import Client
    from aiomlcommons.inference.methods import Side


def by_words(field: Field, wanted: Wanted) -> Query:
    """Return the query for the words of the text."""
    return _filtered(_nested(field, {"match": {field.name: {"query": wanted.text}}}), wanted.filter)


async def by_vectors(ml: Client, facts: Facts, choice: Choice, wanted: Wanted) -> tuple[str, Query]:
    """Return the query of the field of vectors, and its kind. Without neural-search the model is asked here."""
    asks_server = facts.plugins.neural_search is not False
    if choice.field.type == "semantic":
        return "neural", _semantic(choice, wanted)
    if choice.field.is_dense:
        kind, query = await _dense(ml, choice, wanted, asks_server=asks_server)
        return kind, _nested(choice.field, query)
    kind, query = await _weights(ml, choice, wanted, asks_server=asks_server)
    return kind, _filtered(_nested(choice.field, query), wanted.filter)


def _semantic(choice: Choice, wanted: Wanted) -> Query:
    # What the mapping names need not be said.
    model_id = None if choice.model_id == choice.field.model_id else choice.model_id
    if choice.field.is_dense:
        return neural(choice.field.name, wanted.text, model_id=model_id, k=wanted.nearest, filter=wanted.filter)
    # The server refuses all that is for dense vectors.
    return _filtered(neural(choice.field.name, wanted.text, model_id=model_id), wanted.filter)


async def _dense(ml: Client, choice: Choice, wanted: Wanted, *, asks_server: bool) -> tuple[str, Query]:
    field, model, k = choice.field, choice.model, wanted.nearest
    if asks_server or model is None:
        query = neural(field.name, wanted.text, model_id=choice.model_id, k=k, filter=wanted.filter)
        return "neural", query
    side: Side | None = "query" if is_asymmetric(model.record) else None
    vector = await ml.embed_one(model.model_id, wanted.text, content_type=side)
    if field.length is not None and len(vector) != field.length:
        raise NotSearchable(
            f"the model {model.model_id} made {len(vector)} numbers of the text, and {field} holds vectors of "
            f"{field.length}: name the model that made them by model= (--model)"
        )
    return "knn", knn(field.name, vector, k=k, filter=wanted.filter)


async def _weights(ml: Client, choice: Choice, wanted: Wanted, *, asks_server: bool) -> tuple[str, Query]:
    if asks_server or choice.model is None:
        # Not its filter, too: some queries make that one fail in 3.8 ("does not implement createWeight").
        parameters = {"k": wanted.nearest} if choice.field.type == "sparse_vector" else None
        query = neural_sparse(choice.field.name, wanted.text, model_id=choice.model_id, method_parameters=parameters)
        return "neural_sparse", query
    (weights,) = await ml.sparse(choice.model.model_id, [wanted.text])
    return "rank_feature", features(choice.field.name, weights)


def features(field: str, weights: Mapping[str, float]) -> Query:
    """Return what neural_sparse does of weights in a field of rank features, of queries that every server has."""
    # A server takes what stands before the last dot for the field.
    clauses = [
        {"rank_feature": {"field": f"{field}.{token}", "boost": weight, "linear": {}}}
        for token, weight in weights.items()
        if "." not in token and weight > 0
    ]
    # One without clauses would match every document.
    return {"bool": {"should": clauses}} if clauses else {"match_none": {}}


def _nested(field: Field, query: Query) -> Query:
    if field.nested is None:
        return query
    return {"nested": {"path": field.nested, "score_mode": "max", "query": query}}


def _filtered(query: Query, filter: Mapping[str, Any] | None) -> Query:
    return query if filter is None else {"bool": {"must": [query], "filter": [filter]}}
