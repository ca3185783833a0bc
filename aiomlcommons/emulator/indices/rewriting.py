"""Queries that ask a model, rewritten to what the model answers: ``neural`` and ``neural_sparse`` of a text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.emulator.errors import illegal, refused
from aiomlcommons.emulator.indices.semantic import Target, target_of
from aiomlcommons.emulator.indices.state import UserIndex
from aiomlcommons.emulator.models import asking
from aiomlcommons.emulator.pipelines.enriching import INNER
from aiomlcommons.emulator.querying.errors import malformed, parsing, token_of, unknown_query
from aiomlcommons.emulator.querying.queries import OTHERS, QUERIES
from aiomlcommons.emulator.querying.scope import Scope
from aiomlcommons.emulator.querying.texts import tokens

BAD = "Invalid neural query: {problems}"
K = 10
PLUGIN_OF = {"knn": "knn", **dict.fromkeys(("neural", "neural_sparse", "hybrid"), "neural-search")}
KNN = (
    "k",
    "max_distance",
    "min_score",
    "filter",
    "boost",
    "method_parameters",
    "rescore",
    "expand_nested_docs",
    "_name",
)
OF_DENSE = {"query_image", *KNN} - {"boost", "_name"}
OF_NEURAL = {*KNN, "query_text", "query_image", "model_id", "query_tokens", "semantic_field_search_analyzer"}
OF_SPARSE = {"query_text", "model_id", "analyzer", "max_token_score", "query_tokens", "method_parameters"}
OF_SPARSE |= {"boost", "_name"}
TEXTS = {"query_text", "query_image", "model_id", "analyzer"}
NUMBERS = {"k", "max_distance", "min_score", "boost"}
EITHER = "either query_text field or query_tokens field must be provided for [neural_sparse] query"
NO_VECTORS = (
    "Failed to process the neural query against the field {field} because its type is not supported. It should be one "
    "of [knn_vector,semantic]"
)
ANALYZERS = {"bert-uncased", "mbert-uncased", "standard", "simple", "default"}
BOTH = (
    "Cannot use both [model_id: {model}] and [analyzer: {analyzer}] for neural sparse query tokenization. Specify only "
    "one tokenization method. These parameters can be set either in the query or through the neural_query_enricher "
    "search processor."
)


async def rewritten(cluster: Cluster, index: UserIndex, query: Any) -> Any:
    """Return a query of an index without such as ask a model. Raises Refused, also for what the model refuses."""
    if not isinstance(query, Mapping) or len(query) != 1:
        return query  # which the query DSL refuses
    ((name, wanted),) = query.items()
    if not isinstance(wanted, Mapping):
        return query
    check_plugin(cluster, name, query)
    if name in {"neural", "neural_sparse"}:
        field, options = _field(name, wanted)
        return await (_neural if name == "neural" else _sparse)(cluster, index, field, options)
    if name == "knn":
        return {name: {field: await _filtered(cluster, index, options) for field, options in wanted.items()}}
    parts = [part for part in INNER.get(name, ()) if part in wanted]
    return {name: {**wanted, **{part: await _inner(cluster, index, wanted[part]) for part in parts}}}


def check_plugin(cluster: Cluster, name: str, query: Mapping[str, Any]) -> None:
    """Raise Refused for a query of a plugin that the node has not."""
    if name in PLUGIN_OF and not cluster.has(PLUGIN_OF[name]):
        known = [one for one in (*QUERIES, *OTHERS) if one not in PLUGIN_OF or cluster.has(PLUGIN_OF[one])]
        raise unknown_query(name, known, {"query": query})


async def _inner(cluster: Cluster, index: UserIndex, queries: Any) -> Any:
    if isinstance(queries, list):
        return [await rewritten(cluster, index, one) for one in queries]
    return await rewritten(cluster, index, queries)


async def _filtered(cluster: Cluster, index: UserIndex, options: Any) -> Any:
    if not isinstance(options, Mapping) or "filter" not in options:
        return options
    return {**options, "filter": await rewritten(cluster, index, options["filter"])}


def _field(name: str, wanted: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    if not wanted:
        raise malformed()
    (field, options), *more = wanted.items()
    if more:
        raise parsing(f"[{name}] query doesn't support multiple fields, found [{field}] and [{more[0][0]}]")
    if not isinstance(options, Mapping):
        raise parsing(f"[{name}] unknown token [VALUE_STRING] after [{field}]")
    known = OF_NEURAL if name == "neural" else OF_SPARSE
    ending = "" if name == "neural" else " field"
    for option, value in options.items():
        if option not in known or (option in TEXTS and isinstance(value, Mapping)):
            raise parsing(f"[{name}] query does not support [{option}]{ending}")
        if value is None or (isinstance(value, list) and option != "vector"):
            raise parsing(f"[{name}] unknown token [{token_of(value)}] after [{option}]")
    return field, {option: _number(option, value) if option in NUMBERS else value for option, value in options.items()}


def _number(name: str, value: Any) -> float:
    """Return a number that may be given as a text. Raises Refused for what is none, and where it is negative."""
    try:
        number = float(value)
    except ValueError:
        raise refused(400, "number_format_exception", f'For input string: "{value}"') from None
    if name == "k" and number != int(number):
        raise illegal(f"Value [{value}] has a decimal part")
    return int(number) if name == "k" else number


# ---- neural ----------------------------------------------------------------------------------------------------------


async def _neural(cluster: Cluster, index: UserIndex, field: str, options: Mapping[str, Any]) -> Any:
    target = target_of(index, field)
    if target is not None and target.is_sparse:
        return target.within(await _semantic_sparse(cluster, target, options))
    mapped = index.fields().get(field)
    if target is None and mapped is not None and mapped.type != "knn_vector":
        raise illegal(NO_VECTORS.format(field=field))
    _check_dense(options, needs_model=target is None)
    model_id = options.get("model_id") or (target.model_id if target else "")
    vector = await _vector(cluster, model_id, options)
    limits = {} if any(name in options for name in KNN[:3]) else {"k": K}
    kept = {name: options[name] for name in KNN if name in options}
    knn = {"vector": vector, **limits, **await _filtered(cluster, index, kept)}
    return {"knn": {field: knn}} if target is None else target.within({"knn": {target.path: knn}})


def _check_dense(options: Mapping[str, Any], *, needs_model: bool) -> None:
    problems = []
    if not any(str(options.get(name, "")).strip() for name in ("query_text", "query_image")):
        problems.append("Either query_text or query_image must be provided.")
    if sum(name in options for name in KNN[:3]) > 1:
        problems.append("Only one of k, max_distance, or min_score can be provided")
    if options.get("model_id") == "":
        problems.append("model_id field can not be empty")
    if needs_model and options.get("model_id") is None:
        problems.append("model_id must be provided.")
    kind = "a KNN field" if needs_model else "a semantic field"
    for name in ("semantic_field_search_analyzer", "query_tokens"):
        if name in options:
            reason = f"{name} is not supported since it is for the sparse model."
            problems.append(f"Target field is {kind} using a dense model. {reason}")
    if problems:
        raise illegal(BAD.format(problems="; ".join(problems)))


async def _vector(cluster: Cluster, model_id: str, options: Mapping[str, Any]) -> list[float]:
    text, image = options.get("query_text"), options.get("query_image")
    if image is None:
        (vector,) = await asking.dense(cluster, model_id, [str(text)])
    else:
        vector = await asking.of_text_and_image(cluster, model_id, text, image)
    return [float(number) for number in vector]


async def _semantic_sparse(cluster: Cluster, target: Target, options: Mapping[str, Any]) -> dict[str, Any]:
    wrong = sorted(name for name in OF_DENSE if name in options)
    if wrong:
        listed = f"[{', '.join(wrong)}] are not supported since they are for the dense model."
        problem = f"Target field is a semantic field using a sparse model. {listed}"
        raise illegal(BAD.format(problems=problem))
    analyzer = options.get("semantic_field_search_analyzer") or target.analyzer
    given = {name: options[name] for name in ("query_text", "query_tokens", "model_id", "boost") if name in options}
    if "query_tokens" not in given and analyzer is None:
        given = {"model_id": target.model_id, **given}
    weights = await _weights(cluster, given, as_ids=False)
    return {"neural_sparse": {target.path: {"query_tokens": weights, "boost": options.get("boost", 1.0)}}}


# ---- neural_sparse ---------------------------------------------------------------------------------------------------


async def _sparse(cluster: Cluster, index: UserIndex, field: str, options: Mapping[str, Any]) -> Any:
    mapped = index.fields().get(field)
    as_ids = mapped is not None and mapped.type == "sparse_vector"
    kept = {name: options[name] for name in ("boost", "method_parameters", "_name") if name in options}
    if "filter" in kept.get("method_parameters", {}):
        kept["method_parameters"] = await _filtered(cluster, index, kept["method_parameters"])
    analyzer = options.get("analyzer")
    if analyzer and analyzer not in ANALYZERS:
        scope = Scope(index.name, index.uuid, cluster.node_id, [], {})
        raise scope.refuse("illegal_argument_exception", f"Analyzer [{analyzer}] not found in shard context. ")
    return {"neural_sparse": {field: {**kept, "query_tokens": await _weights(cluster, options, as_ids=as_ids)}}}


async def _weights(cluster: Cluster, options: Mapping[str, Any], *, as_ids: bool) -> Mapping[str, float]:
    """Return the tokens of a query with their weights: as given, by a model, or by the analyzer."""
    if "query_tokens" in options:
        return {token: _number(token, weight) for token, weight in options["query_tokens"].items()}
    text, model_id, analyzer = (options.get(name) for name in ("query_text", "model_id", "analyzer"))
    if text is None:
        raise illegal(EITHER)
    for name in ("query_text", "model_id", "analyzer"):
        if options.get(name) == "":
            raise illegal(f"{name} field can not be empty")
    if model_id is not None and analyzer is not None:
        raise illegal(BOTH.format(model=model_id, analyzer=analyzer))
    if model_id is None:
        return dict.fromkeys(tokens(str(text)), 1.0)
    (found,) = await asking.sparse(cluster, model_id, [str(text)], as_ids=as_ids)
    return {token: float(weight) for token, weight in found.items()}
