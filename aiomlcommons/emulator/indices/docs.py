"""Documents by their ids: read at once, whatever searches see."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.emulator.errors import Refused, refused
from aiomlcommons.emulator.indices import blocks, names, writes
from aiomlcommons.emulator.indices.conditions import NO_INTERNAL, of_query
from aiomlcommons.emulator.indices.errors import conflict, invalid_request, no_body
from aiomlcommons.emulator.indices.ingesting import ingested
from aiomlcommons.emulator.indices.routing import routing_of
from aiomlcommons.emulator.indices.writes import Write
from aiomlcommons.emulator.querying.sources import shown
from aiomlcommons.emulator.registry import Plain
from aiomlcommons.emulator.routes import Call, route

CONDITIONS = (
    "refresh routing timeout wait_for_active_shards if_seq_no if_primary_term version version_type require_alias"
)
SHOWN = "_source _source_includes _source_excludes preference realtime refresh routing stored_fields"
OF_VERSION = "version version_type"


@route("GET /{index}/_doc/{id}", parameters=f"{SHOWN} {OF_VERSION}", needs="get")
async def get(cluster: Cluster, call: Call) -> Plain:
    """Return a document, or that there is none."""
    found = _read(cluster, call.names["index"], call.names["id"], source_of(call), call.http.query)
    return Plain(found, 200 if found["found"] else 404)


@route("GET /{index}/_source/{id}", parameters=f"{SHOWN} {OF_VERSION}", needs="get")
async def get_source(cluster: Cluster, call: Call) -> Plain:
    """Return the source of a document."""
    name, key = call.names["index"], call.names["id"]
    found = _read(cluster, name, key, source_of(call), call.http.query)
    if "_source" not in found:
        raise refused(404, "resource_not_found_exception", f"Document not found [{name}]/[{key}]")
    return Plain(found["_source"])


@route("POST /{index}/_mget", "GET /{index}/_mget", "POST /_mget", "GET /_mget", parameters=SHOWN, needs="get")
async def get_many(cluster: Cluster, call: Call) -> Plain:
    """Return several documents; one of an index that does not exist is an error in its place."""
    body, default = call.json() or {}, call.names.get("index", "")
    wanted = body.get("docs") or [{"_id": key} for key in body.get("ids", ())]
    if not wanted:
        raise invalid_request("no documents to get")
    return Plain({"docs": [_one(cluster, one.get("_index", default), one, call) for one in wanted]})


def _one(cluster: Cluster, name: str, wanted: Any, call: Call) -> dict[str, Any]:
    try:
        return _read(cluster, name, wanted["_id"], wanted.get("_source", source_of(call)), wanted)
    except Refused as error:
        return {"_index": name, "_id": wanted["_id"], "error": error.body["error"]}


def source_of(call: Call) -> Any:
    """Return the part of a source that the query string asks for."""
    query = call.http.query
    if query.get("_source") in {"true", "false"}:
        return query["_source"] == "true"
    wanted = {
        "includes": query.get("_source_includes", query.get("_source", "")),
        "excludes": query.get("_source_excludes", ""),
    }
    return {key: [name for name in value.split(",") if name] for key, value in wanted.items()}


def _read(cluster: Cluster, name: str, key: str, wanted: Any, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is shown of a document; ``given`` may hold a routing, and the version that it must have."""
    index = names.read_index(cluster, name)
    blocks.check([index], "read")
    routing_of(index, name, key, given.get("routing"))
    document = index.documents.get(key)
    where: dict[str, Any] = {"_index": index.name, "_id": key}
    if document is None:
        return {**where, "found": False}
    if "version" in given and int(given["version"]) != document.version:
        words = f"current version [{document.version}] is different than the one provided [{given['version']}]"
        raise conflict(index.name, index.uuid, key, words)
    source, routing = shown(document.kept, wanted), document.routing
    return {
        **where,
        "_version": document.version,
        "_seq_no": document.seq_no,
        "_primary_term": 1,
        **({} if routing is None else {"_routing": routing}),
        "found": True,
        **({} if source is None else {"_source": source}),
    }


@route("PUT /{index}/_doc/{id}", "POST /{index}/_doc/{id}", parameters=f"{CONDITIONS} op_type pipeline")
async def put(cluster: Cluster, call: Call) -> Plain:
    """Add or replace a document."""
    return await _written(cluster, call, call.http.query.get("op_type", "index"))


@route("POST /{index}/_doc", parameters=f"{CONDITIONS} op_type pipeline")
async def post(cluster: Cluster, call: Call) -> Plain:
    """Add a document; the server makes its id."""
    return await _written(cluster, call, "create")


@route("PUT /{index}/_create/{id}", "POST /{index}/_create/{id}", parameters=f"{CONDITIONS} pipeline")
async def create(cluster: Cluster, call: Call) -> Plain:
    """Add a document, unless there is one with its id."""
    return await _written(cluster, call, "create")


@route("POST /{index}/_update/{id}", parameters=f"{CONDITIONS} retry_on_conflict _source lang")
async def update(cluster: Cluster, call: Call) -> Plain:
    """Change fields of a document."""
    return await _written(cluster, call, "update")


@route("DELETE /{index}/_doc/{id}", parameters=CONDITIONS)
async def delete(cluster: Cluster, call: Call) -> Plain:
    """Delete a document."""
    return await _written(cluster, call, "delete")


async def _written(cluster: Cluster, call: Call, action: str) -> Plain:
    if action != "delete" and not call.http.body:
        raise no_body()
    query = call.http.query
    if action == "update" and query.keys() & {"version", "version_type"}:
        raise invalid_request(NO_INTERNAL)
    mode = writes.refresh_mode(query.get("refresh"))
    write = Write(
        action,
        call.names["index"],
        call.names.get("id"),
        call.body,
        of_query(query),
        call.flag("require_alias"),
        query.get("pipeline"),
        query.get("routing"),
    )
    if problems := writes.problems(write):
        raise invalid_request(*problems)
    ((_, ready),) = (await ingested(cluster, [write], merges=True)).writes
    if isinstance(ready, Refused):
        raise ready
    done = writes.perform(cluster, ready)
    return Plain(writes.answered(done, mode), done.status)
