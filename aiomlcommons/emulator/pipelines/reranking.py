"""The processor ``rerank``: hits in the order of a cross-encoder's scores, or of a field of theirs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.emulator.encoding import java
from aiomlcommons.emulator.errors import illegal, refused
from aiomlcommons.emulator.json_paths import look_up
from aiomlcommons.emulator.models import asking
from aiomlcommons.emulator.pipelines.options import Options, uncastable
from aiomlcommons.emulator.pipelines.searches import After, Body, makes

TYPES = ("ml_opensearch", "by_field")
NO_TYPE = f"No rerank type found. Possible rerank types are: [{', '.join(TYPES)}]"
TWO_TYPES = f"Multiple rerank types found: [{', '.join(TYPES)}]. Only one is permitted."
NO_CONTEXT = 'No document context found! Perhaps "context.document_fields" is missing from the pipeline definition?'
BOTH = 'Cannot specify both "query_text" and "query_text_path"'
NEITHER = 'Must specify either "query_text" or "query_text_path"'
NO_EXTENSION = (
    'Cannot invoke "org.opensearch.neuralsearch.query.ext.RerankSearchExtBuilder.getParams()" because the return value '
    'of "org.opensearch.neuralsearch.query.ext.RerankSearchExtBuilder.fromExtBuilderList(java.util.List)" is null'
)
NO_TEXT = "query_text_path must point to a string field"
NO_SOURCE = "There is no source field to be able to perform rerank on hit [{id}]"
NO_FIELD = "The field to rerank by is not found at hit [{id}]"
NO_NUMBER = "The field mapping to rerank by [{value}] is not Numerical, instead of type [{kind}]"
Hit = dict[str, Any]


@makes("after", "rerank")
def rerank(options: Options) -> After:
    """Score hits anew and sort them by these scores."""
    given = [kind for kind in TYPES if kind in options.rest]
    if not given:
        raise options.illegal(NO_TYPE)
    if len(given) > 1:
        raise options.illegal(TWO_TYPES)
    return _by_model(options) if given == ["ml_opensearch"] else _by_field(options)


def _in_order(hits: list[Hit], scores: list[float]) -> list[Hit]:
    scored = [{**hit, "_score": score} for hit, score in zip(hits, scores, strict=True)]
    return sorted(scored, key=lambda hit: -hit["_score"])


# ---- by a model ------------------------------------------------------------------------------------------------------


def _by_model(options: Options) -> After:
    context = options.map("context")
    model_id = Options("rerank", dict(options.map("ml_opensearch")), of_search=True).text("model_id")
    if unknown := [name for name in context if name != "document_fields"]:
        raise options.illegal(f"unrecognized context field: {unknown[0]}")
    fields = context.get("document_fields")
    if fields is not None and not isinstance(fields, list):
        raise options.illegal("document_fields must be a list of field names")
    if unlike := [field for field in fields or () if not isinstance(field, str)]:
        raise uncastable(unlike[0], "java.lang.String")
    if fields == []:
        raise options.illegal("document_fields must be nonempty")

    async def after(cluster: Cluster, body: Body, hits: list[Hit]) -> list[Hit]:
        query = _query_text(body)
        if not hits:
            return hits
        if fields is None:
            raise refused(500, "illegal_state_exception", NO_CONTEXT)
        texts = ["".join(_text(hit, field) for field in fields) for hit in hits]
        return _in_order(hits, await asking.scores(cluster, model_id, query, texts))

    return after


def _query_text(body: Mapping[str, Any]) -> str:
    """Return the text that hits are compared with: as the search gives it, or from where it says that it is."""
    rerank = body.get("ext", {}).get("rerank")
    if rerank is None:
        raise refused(500, "null_pointer_exception", NO_EXTENSION)
    if (given := rerank.get("query_context")) is None:
        raise illegal("must specify query_context")
    if "query_text" in given and "query_text_path" in given:
        raise illegal(BOTH)
    if "query_text" in given:
        if not isinstance(given["query_text"], str):
            raise uncastable(given["query_text"], "java.lang.String")
        return str(given["query_text"])
    if "query_text_path" not in given:
        raise illegal(NEITHER)
    path = given["query_text_path"]
    # The server looks into the query with all that its short form leaves out.
    text = look_up(body, path) or look_up(body, path.removesuffix(".query").removesuffix(".value"))
    # A query that asks a model has been rewritten by then.
    if "neural" in path.split("."):
        text = None
    if not isinstance(text, str):
        raise illegal(NO_TEXT)
    return text


def _text(hit: Hit, field: str) -> str:
    return " ".join(map(java, _values(hit.get("_source") or {}, field.split("."))))


def _values(node: Any, path: list[str]) -> list[Any]:
    """Return the values at a path, those of lists one by one."""
    if isinstance(node, list):
        return [value for one in node for value in _values(one, path)]
    if not path:
        return [node]
    return _values(node[path[0]], path[1:]) if isinstance(node, Mapping) and path[0] in node else []


# ---- by a field ------------------------------------------------------------------------------------------------------


def _by_field(options: Options) -> After:
    given = Options("rerank", dict(options.map("by_field")), of_search=True)
    field, removes = given.text("target_field"), given.flag("remove_target_field")
    keeps, kept = given.flag("keep_previous_score"), given.maybe_text("previous_score_field", "previous_score")
    options.rest.pop("context", None)

    async def after(_cluster: Cluster, _body: Body, hits: list[Hit]) -> list[Hit]:
        scores = [_score(hit, field) for hit in hits]
        changed = []
        for hit in hits:
            source = {**hit["_source"], **({str(kept): hit["_score"]} if keeps else {})}
            changed.append({**hit, "_source": _without(source, field.split(".")) if removes else source})
        return _in_order(changed, scores)

    return after


def _score(hit: Hit, field: str) -> float:
    if "_source" not in hit:
        raise illegal(NO_SOURCE.format(id=hit["_id"]))
    value = look_up(hit["_source"], field)
    if value is None:
        raise illegal(NO_FIELD.format(id=hit["_id"]))
    if isinstance(value, bool) or not isinstance(value, int | float):
        kind = {bool: "Boolean", str: "String", list: "ArrayList"}.get(type(value), "HashMap")
        raise illegal(NO_NUMBER.format(value=value, kind=kind))
    return float(value)


def _without(source: Mapping[str, Any], path: list[str]) -> dict[str, Any]:
    """Return a source without the value at a path, and without objects that are empty then."""
    head, *rest = path
    left = {name: value for name, value in source.items() if name != head}
    if rest and isinstance(source.get(head), Mapping) and (inner := _without(source[head], rest)):
        left[head] = inner
    return left
