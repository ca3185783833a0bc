"""``_bulk``: many writes in one request, each with its own result."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from aiomlcommons.emulator.bad_json import bad_json
from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.emulator.errors import Refused, illegal
from aiomlcommons.emulator.indices import writes
from aiomlcommons.emulator.indices.conditions import NOT_IN_UPDATE, Conditions
from aiomlcommons.emulator.indices.documents import loaded
from aiomlcommons.emulator.indices.errors import invalid_request, no_body
from aiomlcommons.emulator.indices.ingesting import ingested
from aiomlcommons.emulator.indices.writes import Write
from aiomlcommons.emulator.querying.errors import token_of
from aiomlcommons.emulator.registry import Plain
from aiomlcommons.emulator.routes import Call, route

ACTIONS = "[create, delete, index, update]"
METADATA = {"_index", "_id", "routing", "if_seq_no", "if_primary_term", "version", "version_type", "require_alias"}
METADATA |= {"pipeline", "_source", "retry_on_conflict", "op_type"}


@route(
    *("POST /_bulk", "PUT /_bulk", "POST /{index}/_bulk", "PUT /{index}/_bulk"),
    parameters="refresh pipeline require_alias routing timeout wait_for_active_shards _source",
)
async def bulk(cluster: Cluster, call: Call) -> Plain:
    """Do the writes of a request in order. One that fails does not keep others from being done."""
    mode = writes.refresh_mode(call.http.query.get("refresh"))
    wanted = list(_read(call))
    if not wanted:
        raise invalid_request("no requests added")
    if found := [problem for write in wanted for problem in _problems(write)]:
        raise invalid_request(*found)
    done = await ingested(cluster, wanted)
    items = [_item(cluster, one, ready, mode) for one, ready in done.writes]
    errors = any("error" in item for one in items for item in one.values())
    ingest = {"ingest_took": 0} if done.was_any else {}
    return Plain({"took": 1, **ingest, "errors": errors, "items": items})


def _problems(write: Write) -> list[str]:
    return (["index is missing"] if not write.index else []) + writes.problems(write)


def _item(cluster: Cluster, write: Write, ready: Write | Refused, mode: str) -> dict[str, Any]:
    """Do a write, unless its pipeline has refused its document, and return its result."""
    if isinstance(ready, Refused):
        # Of an update it is the document that was refused, which has no id of its own.
        is_update = write.action == "update"
        return {"index" if is_update else write.action: _failed(write.index, None if is_update else write.key, ready)}
    try:
        done = writes.perform(cluster, ready)
    except Refused as error:
        return {write.action: _failed(write.index, write.key, error)}
    # Unlike an update by itself, one that changes nothing is told with the shards that there are.
    return {write.action: {**writes.answered(done, mode), "_shards": done.index.shards, "status": done.status}}


def _failed(index: str, key: str | None, error: Refused) -> dict[str, Any]:
    return {"_index": index, "_id": key, "status": error.status, "error": writes.said_of(error)}


# ---- lines -----------------------------------------------------------------------------------------------------------


def _read(call: Call) -> Iterator[Write]:
    """Yield the writes of a body. Raises Refused for one that cannot be read, whichever its line."""
    body = call.http.body
    if not body:
        raise no_body()
    if not body.endswith(b"\n"):
        raise illegal("The bulk request must be terminated by a newline [\\n]")
    lines = enumerate(body.split(b"\n")[:-1], 1)
    for number, line in lines:
        if not line.strip():
            continue
        action, metadata = _action(number, line, call.version)
        source = b""
        if action != "delete":
            following = next(lines, None)
            if following is None:
                return  # the server drops an action without a line after it
            source = following[1]
        if action == "update":
            change = writes.check_update(loaded(source, call.version))
            if "if_seq_no" in metadata and ("upsert" in change or change.get("doc_as_upsert")):
                raise invalid_request(writes.NO_UPSERT if "upsert" in change else writes.NO_UPSERTS)
            if {"version", "version_type"} & metadata.keys():
                raise illegal(NOT_IN_UPDATE)
        yield _write(call, action, metadata, source)


def _action(number: int, line: bytes, version: str) -> tuple[str, Mapping[str, Any]]:
    try:
        given = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise bad_json(line, error, version) from None
    if not isinstance(given, dict):
        raise _malformed(number, f"expected START_OBJECT but found [{token_of(given)}]")
    if not given:
        raise _malformed(number, "expected FIELD_NAME but found [END_OBJECT]")
    action, metadata = next(iter(given.items()))
    if action not in writes.ACTIONS:
        raise _malformed(number, f"expected one of {ACTIONS} but found [{action}]")
    if not isinstance(metadata, dict):
        raise _malformed(number, f"expected START_OBJECT or END_OBJECT but found [{token_of(metadata)}]")
    for name, value in metadata.items():
        if isinstance(value, list | dict):
            raise _malformed(number, f"expected a simple value for field [{name}] but found [{token_of(value)}]")
        if name not in METADATA:
            raise illegal(f"Action/metadata line [{number}] contains an unknown parameter [{name}]")
    return action, metadata


def _malformed(number: int, why: str) -> Refused:
    return illegal(f"Malformed action/metadata line [{number}], {why}")


def _write(call: Call, action: str, metadata: Mapping[str, Any], source: bytes) -> Write:
    key, query = metadata.get("_id"), call.http.query
    return Write(
        metadata.get("op_type", action),
        str(metadata.get("_index") or call.names.get("index", "")),
        None if key is None else str(key),
        source,
        Conditions.read(metadata),
        bool(metadata.get("require_alias", call.flag("require_alias"))),
        str(pipeline) if (pipeline := metadata.get("pipeline", query.get("pipeline"))) is not None else None,
        str(routing) if (routing := metadata.get("routing", query.get("routing"))) is not None else None,
    )
