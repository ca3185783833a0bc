"""Searches and counts of indices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.emulator.indices import hybrid, names
from aiomlcommons.emulator.indices.docs import source_of
from aiomlcommons.emulator.indices.errors import invalid_request
from aiomlcommons.emulator.indices.highlighting import highlighted
from aiomlcommons.emulator.indices.points import Seen, Snapshot, opened, seen, shards_of
from aiomlcommons.emulator.indices.rewriting import check_plugin, rewritten
from aiomlcommons.emulator.pipelines import searches as search_pipelines
from aiomlcommons.emulator.pipelines.enriching import in_two_phases
from aiomlcommons.emulator.pipelines.searches import SearchPipeline
from aiomlcommons.emulator.querying import docvalues
from aiomlcommons.emulator.querying.docvalues import Wanted
from aiomlcommons.emulator.querying.errors import not_emulated, parsing, token_of
from aiomlcommons.emulator.querying.paging import Page, matching, page
from aiomlcommons.emulator.querying.scope import Row, Scope
from aiomlcommons.emulator.querying.sorting import Found, in_order
from aiomlcommons.emulator.querying.sources import shown
from aiomlcommons.emulator.registry import Plain
from aiomlcommons.emulator.routes import Call, route

CHOICE = "ignore_unavailable allow_no_indices expand_wildcards ignore_throttled preference routing"
IN_QUERY = "size from sort _source _source_includes _source_excludes track_total_hits version seq_no_primary_term"
IGNORED = "allow_partial_search_results request_cache timeout search_type batched_reduce_size ccs_minimize_roundtrips"
NOT_EMULATED = ("q", "scroll")
KNOWN = {"query", "from", "size", "sort", "search_after", "_source", "track_total_hits", "min_score", "pit", "version"}
KNOWN |= {"seq_no_primary_term", "timeout", "track_scores", "rescore", "ext", "search_pipeline", "highlight"}
KNOWN |= {"docvalue_fields"}
# The server knows these, too.
OTHERS = {
    *("aggs", "aggregations", "fields", "stored_fields", "script_fields", "suggest"),
    *("collapse", "slice", "profile", "explain", "post_filter", "terminate_after", "derived"),
    *("indices_boost", "verbose_pipeline"),
}
OBJECTS: Mapping[str, type] = {"query": dict, "docvalue_fields": list}
COUNTED_EXACTLY = 10_000
NO_PIT = "_shard_doc is only supported with point-in-time (PIT). Add a PIT or remove _shard_doc."


@route(
    *("GET /{index}/_search", "POST /{index}/_search", "GET /_search", "POST /_search"),
    parameters=f"{CHOICE} {IN_QUERY} {IGNORED} search_pipeline {' '.join(NOT_EMULATED)}",
    needs="search",
)
async def search(cluster: Cluster, call: Call) -> Plain:
    """Return a page of hits, of indices or of a point in time."""
    given = _body(call)
    snapshot, head = _snapshot(cluster, call, given)
    pipeline = _pipeline(cluster, snapshot, given)
    body = await pipeline.asked(cluster, given)
    if "query" in body:
        body = {**body, "query": hybrid.unwrapped(body["query"])}
    if hybrid.is_hybrid(body):
        check_plugin(cluster, "hybrid", body["query"])
        body = {**body, "query": hybrid.listed(body["query"])}
        hybrid.checked(body)
        body = {**body, "query": hybrid.filtered(body["query"])}
    scopes = [await _scope(cluster, one, body, call.names.get("index", "_all")) for one in snapshot]
    found = hybrid.page(scopes, body, pipeline.combine) if hybrid.is_hybrid(body) else _merged(scopes, body)
    fields = {scope.index: docvalues.wanted(scope, body.get("docvalue_fields", ())) for scope in scopes}
    rows = [_hit(one, found, body, fields[one.row.index]) for one in found.hits]
    raw = await highlighted(cluster, body, found.hits, rows)
    hits = await pipeline.answered(cluster, given, raw)
    best = (found.best if found.is_scored else None) if scopes else 0.0
    profile: dict[str, Any] = {}
    if hits and hits is not raw and pipeline.reranks:
        best, profile = hits[0]["_score"], {"profile": {"shards": []}}
    counted = {**_total(found.total, body.get("track_total_hits", COUNTED_EXACTLY)), "max_score": best, "hits": hits}
    return Plain({**head, "took": 1, "timed_out": False, "_shards": shards_of(snapshot), "hits": counted, **profile})


@route("GET /{index}/_count", "POST /{index}/_count", "GET /_count", "POST /_count", parameters=CHOICE, needs="search")
async def count(cluster: Cluster, call: Call) -> Plain:
    """Return how many documents match."""
    body = _object(call.json())
    if others := [name for name in body if name != "query"]:
        raise parsing(f"request does not support [{others[0]}]")
    expression = call.names.get("index", "_all")
    if "query" in body:
        body = {**body, "query": hybrid.any_of(body["query"])}
    snapshot = _seen(cluster, call)
    scopes = [await _scope(cluster, one, body, expression) for one in snapshot]
    counted = sum(len(matching(scope, scope.body.get("query"))) for scope in scopes)
    return Plain({"count": counted, "_shards": shards_of(snapshot)})


# ---- requests --------------------------------------------------------------------------------------------------------


def _body(call: Call) -> dict[str, Any]:
    """Return the body of a search, with what the query string says instead."""
    query = call.http.query
    for name in NOT_EMULATED:
        if query.get(name, "_none") != "_none":
            raise not_emulated(f"parameter [{name}]")
    body = _object(call.json())
    for name, value in body.items():
        if name in OTHERS:
            raise not_emulated(f"[{name}] of a search")
        if name not in KNOWN or not isinstance(value, OBJECTS.get(name, object)):
            raise parsing(f"Unknown key for a {token_of(value)} in [{name}].")
    given: dict[str, Any] = {name: query[name] for name in ("size", "from", "search_pipeline") if name in query}
    if "sort" in query:
        given["sort"] = [_sort(part) for part in query["sort"].split(",")]
    if any(name.startswith("_source") for name in query):
        given["_source"] = source_of(call)
    flags = ("track_total_hits", "version", "seq_no_primary_term")
    return {**body, **given, **{name: call.flag(name) for name in flags if name in query}}


def _object(body: Any) -> dict[str, Any]:
    if body is not None and not isinstance(body, dict):
        raise parsing(f"Expected [START_OBJECT] but found [{token_of(body)}]")
    return body or {}


def _sort(part: str) -> Any:
    name, _, order = part.partition(":")
    return {name: order} if order else name


# ---- what is searched ------------------------------------------------------------------------------------------------


def _snapshot(cluster: Cluster, call: Call, body: Mapping[str, Any]) -> tuple[Snapshot, dict[str, Any]]:
    """Return the documents that are searched, and what the response says of a point in time."""
    if "pit" not in body:
        if "_shard_doc" in str(body.get("sort")):
            raise invalid_request(NO_PIT)
        return _seen(cluster, call), {}
    for name, is_given in (("indices", "index" in call.names), ("preference", "preference" in call.http.query)):
        if is_given:
            raise invalid_request(f"[{name}] cannot be used with point in time")
    return opened(cluster, body["pit"]).snapshot, {"pit_id": body["pit"]["id"]}


def _pipeline(cluster: Cluster, snapshot: Snapshot, body: Mapping[str, Any]) -> SearchPipeline:
    """Return the pipeline of a search; the default is that of its only index."""
    default = snapshot[0].index.settings.get("search.default_pipeline", "_none") if len(snapshot) == 1 else "_none"
    return search_pipelines.found(cluster, body.get("search_pipeline"), default)


def _seen(cluster: Cluster, call: Call) -> Snapshot:
    lenient = call.flag("ignore_unavailable")
    found = names.found(cluster, call.names.get("index", "_all"), lenient=lenient)
    return seen(found, call.http.query.get("preference", ""))


async def _scope(cluster: Cluster, one: Seen, body: Mapping[str, Any], expression: str) -> Scope:
    """Return what is searched of an index, with the models asked that the query asks."""
    index = one.index
    if (own := names.filter_of(index, expression)) is not None:
        body = {**body, "query": hybrid.with_filter(body.get("query", {"match_all": {}}), own)}
    if "query" in body:
        body = in_two_phases({**body, "query": await rewritten(cluster, index, body["query"])})
    rows = [Row(document, document.source, index.name) for document in one.documents.values()]
    return Scope(index.name, index.uuid, cluster.node_id, rows, body, index.fields(), cluster.now(), index.is_knn)


def _merged(scopes: Sequence[Scope], body: Mapping[str, Any]) -> Page:
    """Return the page of all indices together."""
    if len(scopes) == 1:
        return page(scopes[0])
    start, size = int(body.get("from", 0)), int(body.get("size", 10))
    pages = [page(attrs.evolve(scope, body={**scope.body, "from": 0, "size": start + size})) for scope in scopes]
    keys = pages[0].keys if pages else []
    hits = in_order([one for each in pages for one in each.hits], keys)[start : start + size]
    best = max((each.best for each in pages if each.best is not None), default=None)
    return Page(hits, sum(each.total for each in pages), best, keys)


# ---- responses -------------------------------------------------------------------------------------------------------


def _hit(one: Found, found: Page, body: Mapping[str, Any], fields: Sequence[Wanted]) -> dict[str, Any]:
    document = one.row.document
    hit: dict[str, Any] = {"_index": one.row.index, "_id": document.id}
    if body.get("version"):
        hit["_version"] = document.version
    if body.get("seq_no_primary_term"):
        hit |= {"_seq_no": document.seq_no, "_primary_term": 1}
    hit["_score"] = one.score if found.is_scored else None
    if document.routing is not None:
        hit["_routing"] = document.routing
    source = shown(document.kept, body.get("_source"))
    if source is not None:
        hit["_source"] = source
    if values := docvalues.of(one.row, fields):
        hit["fields"] = values
    return {**hit, "sort": [key.value(one) for key in found.keys]} if found.keys else hit


def _total(total: int, wanted: Any) -> dict[str, Any]:
    """Return the number of hits as far as it is wanted: all, none, or up to a number."""
    if wanted is False:
        return {}
    is_more = wanted is not True and total > int(wanted)
    return {"total": {"value": int(wanted) if is_more else total, "relation": "gte" if is_more else "eq"}}
