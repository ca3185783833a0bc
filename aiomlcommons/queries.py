"""Queries of vectors and of texts that become vectors, as plain dicts with the field names of the API.

What these functions do not name is added to the dict that they return; all other queries are written as dicts anyway.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from numbers import Integral, Real
from typing import Any, TypeAlias

from aiomlcommons.errors import InvalidRequest
from aiomlcommons.net.rules import Rule, is_finite
from aiomlcommons.record import kind_of
from aiomlcommons.typed import typed

Query: TypeAlias = dict[str, Any]
"""A query of the query DSL: ``{"match": {"text": "wisdom"}}``."""
# By the inner product those that are near have distances below zero.
DISTANCE = Rule((Real, type(None)), "a number or None", lambda distance: distance is None or is_finite(distance))


@typed(own="field query_text model_id filter", max_distance=DISTANCE.check)
def neural(
    field: str,
    query_text: str | None = None,
    *,
    model_id: str | None = None,
    k: int | None = None,
    min_score: float | None = None,
    max_distance: float | None = None,
    query_image: str | None = None,
    query_tokens: Mapping[str, float] | None = None,
    filter: Mapping[str, Any] | None = None,
    method_parameters: Mapping[str, Any] | None = None,
    rescore: Mapping[str, Any] | bool | None = None,
    expand_nested_docs: bool | None = None,
    semantic_field_search_analyzer: str | None = None,
    boost: float | None = None,
    name: str | None = None,
) -> Query:
    """Find the documents whose vectors are nearest to that of a text, which the cluster embeds. Needs neural-search.

    https://docs.opensearch.org/latest/query-dsl/specialized/neural/

    Args:
        field: The ``knn_vector`` or ``semantic`` field.
        query_text: The text.
        model_id: The model that embeds it. Default: that of the field, if it is ``semantic``, or of a
            ``neural_query_enricher`` in the search pipeline.
        k: The nearest documents of each shard to find. Default: 10, unless ``min_score`` or ``max_distance`` is given.
        min_score: Find those of at least this score instead.
        max_distance: Find those within this distance instead.
        query_image: An image in base64, for a multimodal model.
        query_tokens: The weights of tokens in place of a text, for a ``semantic`` field of a sparse model.
        filter: A query that documents must match; it is applied while the nearest are looked for.
        method_parameters: Parameters of the search, such as ``{"ef_search": 100}``.
        rescore: Whether, or how, the nearest are scored anew by vectors of full precision.
        expand_nested_docs: Whether all nested vectors of a document count, not only its nearest.
        semantic_field_search_analyzer: The analyzer in place of a sparse model, for a ``semantic`` field.
        boost: A factor of the score.
        name: The name of the query in ``matched_queries``.

    Raises InvalidRequest unless there is something to search for, or if more than one of the limits is given.
    """
    _some_of("neural", query_text=query_text, query_image=query_image, query_tokens=query_tokens)
    _one_at_most("neural", k=k, min_score=min_score, max_distance=max_distance)
    return _of_field(
        "neural",
        field,
        query_text=_text("query_text", query_text),
        query_image=query_image,
        query_tokens=query_tokens,
        model_id=_id(model_id),
        k=k,
        min_score=min_score,
        max_distance=max_distance,
        filter=None if filter is None else checked_query("filter", filter),
        method_parameters=method_parameters,
        rescore=rescore,
        expand_nested_docs=expand_nested_docs,
        semantic_field_search_analyzer=semantic_field_search_analyzer,
        boost=boost,
        _name=name,
    )


@typed(own="field query_text model_id query_tokens")
def neural_sparse(
    field: str,
    query_text: str | None = None,
    *,
    model_id: str | None = None,
    query_tokens: Mapping[str, float] | None = None,
    analyzer: str | None = None,
    method_parameters: Mapping[str, Any] | None = None,
    boost: float | None = None,
    name: str | None = None,
) -> Query:
    """Find documents by the weights of their tokens, which a sparse model gave them. Needs neural-search.

    https://docs.opensearch.org/latest/query-dsl/specialized/neural-sparse/

    Args:
        field: The ``rank_features`` or ``sparse_vector`` field.
        query_text: The text, whose tokens the cluster finds.
        model_id: The sparse model, or the tokenizer, that finds them. Default: the analyzer.
        query_tokens: The weights of tokens in place of a text.
        analyzer: What finds the tokens in place of a model, from 3.1. Default: the server's, ``bert-uncased``.
        method_parameters: Parameters of the search of a ``sparse_vector`` field: ``k``, ``top_n``, ``heap_factor``,
            ``filter``.
        boost: A factor of the score.
        name: The name of the query in ``matched_queries``.

    Raises InvalidRequest unless there is one thing to search for, or if both a model and an analyzer are given.
    """
    _some_of("neural_sparse", query_text=query_text, query_tokens=query_tokens)
    _one_at_most("neural_sparse", query_text=query_text, query_tokens=query_tokens)
    _one_at_most("neural_sparse", model_id=model_id, analyzer=analyzer)
    return _of_field(
        "neural_sparse",
        field,
        query_text=_text("query_text", query_text),
        query_tokens=query_tokens,
        model_id=_id(model_id),
        analyzer=analyzer,
        method_parameters=method_parameters,
        boost=boost,
        _name=name,
    )


@typed(own="field vector filter", max_distance=DISTANCE.check)
def knn(
    field: str,
    vector: Iterable[float],
    *,
    k: int | None = None,
    min_score: float | None = None,
    max_distance: float | None = None,
    filter: Mapping[str, Any] | None = None,
    method_parameters: Mapping[str, Any] | None = None,
    rescore: Mapping[str, Any] | bool | None = None,
    expand_nested_docs: bool | None = None,
    ignore_unmapped: bool | None = None,
    boost: float | None = None,
    name: str | None = None,
) -> Query:
    """Find the documents whose vectors are nearest to a vector, such as that of ``ml.embed_one``. Needs k-NN.

    https://docs.opensearch.org/latest/query-dsl/specialized/k-nn/index/

    Args:
        field: The ``knn_vector`` field.
        vector: The vector: an array or a list of numbers.
        k: The nearest documents of each shard to find.
        min_score: Find those of at least this score instead.
        max_distance: Find those within this distance instead.
        filter: A query that documents must match; it is applied while the nearest are looked for.
        method_parameters: Parameters of the search, such as ``{"ef_search": 100}``.
        rescore: Whether, or how, the nearest are scored anew by vectors of full precision.
        expand_nested_docs: Whether all nested vectors of a document count, not only its nearest.
        ignore_unmapped: Find nothing in an index without the field, in place of an error.
        boost: A factor of the score.
        name: The name of the query in ``matched_queries``.

    Raises InvalidRequest unless exactly one of the limits is given, or if the vector is none.
    """
    _some_of("knn", k=k, min_score=min_score, max_distance=max_distance)
    _one_at_most("knn", k=k, min_score=min_score, max_distance=max_distance)
    return _of_field(
        "knn",
        field,
        vector=_numbers(vector),
        k=k,
        min_score=min_score,
        max_distance=max_distance,
        filter=None if filter is None else checked_query("filter", filter),
        method_parameters=method_parameters,
        rescore=rescore,
        expand_nested_docs=expand_nested_docs,
        ignore_unmapped=ignore_unmapped,
        boost=boost,
        _name=name,
    )


@typed(own="filter")
def hybrid(
    *queries: Mapping[str, Any], filter: Mapping[str, Any] | None = None, pagination_depth: int | None = None
) -> Query:
    """Find documents by several queries, whose scores a search pipeline combines. Needs neural-search.

    Without such a pipeline the scores are not combined: ``ml.search`` says so.
    https://docs.opensearch.org/latest/query-dsl/compound/hybrid/

    Args:
        queries: The queries, as dicts; a server takes up to five.
        filter: A query that documents must match, from 3.0; older servers take it in each of the queries only.
        pagination_depth: The documents of each query and shard that are ranked, from 2.19; needed where pages after
            the first one are asked for.

    Raises InvalidRequest if there is no query, or one is not a query.
    """
    if not queries:
        raise InvalidRequest(
            "hybrid: there is no query to combine; give those, as in hybrid(neural(...), {'match': ...})"
        )
    found: Query = {"queries": [checked_query(f"queries[{place}]", query) for place, query in enumerate(queries)]}
    if filter is not None:
        found["filter"] = checked_query("filter", filter)
    if pagination_depth is not None:
        found["pagination_depth"] = pagination_depth
    return {"hybrid": found}


def checked_query(name: str, query: Any) -> Query:
    """Return a query as a dict. Raises InvalidRequest, with the name and the remedy, for what cannot be one."""
    if not isinstance(query, Mapping):
        hint = "; ml.search_text takes a text" if isinstance(query, str) else ""
        raise InvalidRequest(
            f"{name} must be a dict such as {{'match': {{'text': 'wisdom'}}}}, not {kind_of(query)}{hint}"
        )
    if "query" in query:
        raise InvalidRequest(
            f"{name} must be the query itself, without the body around it: give what is in its 'query'"
        )
    if len(query) != 1:
        kinds = ", ".join(map(repr, query)) or "none"
        raise InvalidRequest(
            f"{name} must have one kind of query as its only key, and has {kinds}; a bool query joins several"
        )
    return dict(query)


def _of_field(kind: str, field: str, **options: Any) -> Query:
    if not isinstance(field, str) or not field.strip():
        raise InvalidRequest(f"{kind}: field must be the name of a field, not {field!r}")
    return {kind: {field: {name: option for name, option in options.items() if option is not None}}}


def _text(name: str, text: Any) -> str | None:
    if text is not None and (not isinstance(text, str) or not text.strip()):
        shown = "blank" if isinstance(text, str) else kind_of(text)
        raise InvalidRequest(f"{name} must be a text with a word in it, not {shown}")
    return text


def _id(model_id: Any) -> str | None:
    if model_id is not None and not isinstance(model_id, str):
        raise InvalidRequest(f"model_id must be the id of a model, not {kind_of(model_id)}")
    return None if model_id is None else str(model_id)  # an EnsuredModel is an id with more to it


def _numbers(vector: Any) -> list[float]:
    found = vector.tolist() if hasattr(vector, "tolist") else vector
    if isinstance(found, Mapping | str | bytes) or not isinstance(found, Iterable):
        raise InvalidRequest(f"knn: vector must be numbers, not {kind_of(vector)}")
    numbers = list(found)
    if not numbers:
        raise InvalidRequest("knn: vector must not be empty")
    for place, number in enumerate(numbers):
        if isinstance(number, Sequence) and not isinstance(number, str | bytes):
            raise InvalidRequest("knn: vector must be one vector, not several: search for each of them")
        if not _is_number(number):
            raise InvalidRequest(f"knn: vector[{place}] must be a number, not {number!r}")
    # Numbers of numpy and others are no JSON.
    return [int(number) if isinstance(number, Integral) else float(number) for number in numbers]


def _is_number(value: Any) -> bool:
    try:
        return type(value) is not bool and isinstance(value, Real) and math.isfinite(value)
    except OverflowError:  # an integer beyond all floats
        return False


def _some_of(kind: str, **given: Any) -> None:
    if all(value is None for value in given.values()):
        raise InvalidRequest(f"{kind} needs {' or '.join(given)}")


def _one_at_most(kind: str, **given: Any) -> None:
    found = [name for name, value in given.items() if value is not None]
    if len(found) > 1:
        raise InvalidRequest(f"{kind}: {' and '.join(found)} exclude each other")
