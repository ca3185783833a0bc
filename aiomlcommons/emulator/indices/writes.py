"""Writes of documents: index, create, update and delete, by themselves and in ``_bulk``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.emulator.encoding import to_json
from aiomlcommons.emulator.errors import Refused, illegal, no_index, refused
from aiomlcommons.emulator.flavors import NO_IDS
from aiomlcommons.emulator.index import Document
from aiomlcommons.emulator.indices import blocks, names
from aiomlcommons.emulator.indices.conditions import PRIMARY_TERM, UNCONDITIONAL, Conditions
from aiomlcommons.emulator.indices.creation import create
from aiomlcommons.emulator.indices.documents import Parser, loaded
from aiomlcommons.emulator.indices.errors import conflict, invalid_request, no_document, no_source
from aiomlcommons.emulator.indices.routing import routing_of
from aiomlcommons.emulator.indices.state import Source, UserIndex
from aiomlcommons.emulator.querying.errors import not_emulated, suggestion, token_of, unreadable

LONGEST_ID = 512
NO_UPSERT = "upsert requests don't support `if_seq_no` and `if_primary_term`"
NAMELESS = "pipeline cannot be an empty string"
READS_BASE64 = "3.8"
DEEPEST = 20
NO_UPSERTS = "compare and write operations can not be used with upsert"
IN_UPDATE = ("doc", "doc_as_upsert", "upsert", "script", "scripted_upsert", "detect_noop", "_source", "lang")


@attrs.frozen
class Write:
    """A write of one document: what is done (``index``, ``create``, ``update``, ``delete``), to which, and with what.

    ``body`` is the document, as it came; that of an update says how to change one, or with ``is_merged`` what all of it
    is then. Without ``key`` the server makes an id. Without ``pipeline`` the document goes through that of the index.
    """

    action: str
    index: str
    key: str | None = None
    body: bytes = b""
    conditions: Conditions = UNCONDITIONAL
    needs_alias: bool = False
    pipeline: str | None = None
    routing: str | None = None
    is_merged: bool = False


@attrs.frozen
class Written:
    """The result of a write: the index, what happened there, and the status."""

    index: UserIndex
    result: dict[str, Any]
    status: int


def problems(write: Write) -> list[str]:
    """Return why a request with this write is refused as a whole."""
    if write.key is None and write.action in {"update", "delete"}:
        return ["id is missing"]
    found = write.conditions.problems(write.action, has_id=write.key is not None)
    if write.pipeline == "":
        found += [NAMELESS]
    size = len((write.key or "").encode("utf-8", "replace"))
    if size > LONGEST_ID:
        found += [f"id [{write.key}] is too long, must be no longer than {LONGEST_ID} bytes but was: {size}"]
    return found


def perform(cluster: Cluster, write: Write) -> Written:
    """Do a write, whose document has been through its pipelines.

    Raises Refused; then nothing is changed, but that the index may have been created.
    """
    if write.key == "":
        raise illegal("if _id is specified it must not be empty")
    if write.key is not None and write.action != "delete" and not cluster.takes_ids:
        raise illegal(NO_IDS)
    index = _target(cluster, write)
    blocks.check([index], "write")
    routed = attrs.evolve(write, routing=routing_of(index, write.index, write.key, write.routing))
    return ACTIONS[write.action](cluster, index, routed)


def _target(cluster: Cluster, write: Write) -> UserIndex:
    if write.needs_alias and not names.is_alias(cluster, write.index):
        error = no_index(write.index)
        why = f"and [require_alias] request flag is [true] and [{write.index}] is not an alias"
        where: dict[str, Any] = {"index": write.index, "index_uuid": "_na_"}
        raise refused(404, "index_not_found_exception", f"{error.body['error']['reason']} {why}", **where)
    if write.action != "delete" and not names.exists(cluster, write.index):
        return create(cluster, write.index)
    return names.one_index(cluster, write.index)


def _index(cluster: Cluster, index: UserIndex, write: Write) -> Written:
    key = write.key or cluster.new_id()
    source = _parsed(cluster, index, key, loaded(write.body, cluster.version))
    old = None if write.key is None else write.conditions.check(index, key)
    if old is not None and write.action == "create":
        raise conflict(index.name, index.uuid, key, f"document already exists (current version [{old.version}])")
    return _put(index, key, source, write)


def _put(index: UserIndex, key: str, source: Source, write: Write) -> Written:
    is_new = key not in index.documents
    index.write(key, source, version=write.conditions.version, routing=write.routing)
    document = index.documents[key]
    result = _result(index, key, "created" if is_new else "updated", document)
    return Written(index, result, 201 if is_new else 200)


def _parsed(cluster: Cluster, index: UserIndex, key: str, given: Mapping[str, Any]) -> Source:
    """Return a document with its vectors as arrays; its new fields are added to the mapping."""
    reads_base64 = not cluster.is_before(READS_BASE64)
    source, mappings = Parser(key, index.mappings, index.limit("depth", DEEPEST), reads_base64).parse(given)
    index.remap(mappings or index.mappings)
    return source


def _delete(_: Cluster, index: UserIndex, write: Write) -> Written:
    key = write.key or ""
    old = write.conditions.check(index, key)
    done = index.delete(key, version=write.conditions.version, routing=write.routing, refreshed=False)
    document: Document[Source] = Document(key, {}, done.version or 1, done.seq_no or 0)
    result = _result(index, key, "deleted" if old else "not_found", document)
    return Written(index, result, 200 if old else 404)


def _update(cluster: Cluster, index: UserIndex, write: Write) -> Written:
    key, change = write.key or "", check_update(loaded(write.body, cluster.version))
    new = change.get("doc") if change.get("doc_as_upsert") else change.get("upsert")
    if new is None and key not in index.documents:
        raise no_document(index.name, index.uuid, key)
    old = write.conditions.check(index, key)
    if old is None:
        return _put(index, key, _parsed(cluster, index, key, new or {}), write)
    if old.kept is None:
        raise no_source(index.name, index.uuid, key)
    new_source = change["doc"] if write.is_merged else merged(old.kept, change["doc"])
    source = _parsed(cluster, index, key, new_source)
    if change.get("detect_noop", True) and to_json(source) == to_json(old.kept):
        result = _result(index, key, "noop", old)
        return Written(index, {**result, "_shards": {"total": 0, "successful": 0, "failed": 0}}, 200)
    return _put(index, key, source, write)


def check_update(change: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the body of an update. Raises Refused for one that changes nothing, or by a script."""
    for name in change:
        if name not in IN_UPDATE:
            raise unreadable(f"[UpdateRequest] unknown field [{name}]{suggestion(name, IN_UPDATE)}")
    if "script" in change:
        raise not_emulated("scripts")
    if "doc" not in change:
        raise invalid_request("script or doc is missing")
    for name in ("doc", "upsert"):
        if name in change and not isinstance(change[name], Mapping):
            raise unreadable(f"[UpdateRequest] {name} doesn't support values of type: {token_of(change[name])}")
    return change


def merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document with what an update changes."""
    found = dict(old)
    for name, value in new.items():
        both = isinstance(value, Mapping) and isinstance(found.get(name), Mapping)
        found[name] = merged(found[name], value) if both else value
    return found


def _result(index: UserIndex, key: str, result: str, document: Document[Any]) -> dict[str, Any]:
    return {
        "_index": index.name,
        "_id": key,
        "_version": document.version,
        "result": result,
        "_shards": index.shards,
        "_seq_no": document.seq_no,
        "_primary_term": PRIMARY_TERM,
    }


ACTIONS: Mapping[str, Callable[[Cluster, UserIndex, Write], Written]] = {
    "index": _index,
    "create": _index,
    "update": _update,
    "delete": _delete,
}


def refresh_mode(given: str | None) -> str:
    """Return the ``refresh`` parameter: ``true``, ``false`` or ``wait_for``. Raises Refused for another."""
    mode = {None: "false", "": "true"}.get(given, given or "")
    if mode not in {"true", "false", "wait_for"}:
        raise illegal(f"Unknown value for refresh: [{given}].")
    return mode


def answered(written: Written, mode: str) -> dict[str, Any]:
    """Refresh the index of a write if that is wanted, and return the result of the write."""
    result = written.result
    if mode != "false":
        written.index.settle_all()
    if mode != "true" or result["result"] == "noop":
        return result
    head = {name: result[name] for name in ("_index", "_id", "_version", "result")}
    return {**head, "forced_refresh": True, **result}


def said_of(error: Refused) -> Mapping[str, Any]:
    """Return an error as an item of ``_bulk`` shows it."""
    return {name: value for name, value in error.body["error"].items() if name != "root_cause"}
