"""Indices themselves: creating, looking at and deleting them, their mappings and settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.emulator.errors import Refused, illegal, refused
from aiomlcommons.emulator.indices import blocks, mappings, names, settings
from aiomlcommons.emulator.indices.creation import create
from aiomlcommons.emulator.indices.errors import bare, invalid_request, no_body
from aiomlcommons.emulator.indices.semantic_mappings import expanded
from aiomlcommons.emulator.indices.state import UserIndex
from aiomlcommons.emulator.indices.statistics import all_shards
from aiomlcommons.emulator.registry import Plain
from aiomlcommons.emulator.routes import Call, route

ACKNOWLEDGED = {"acknowledged": True}
TIMES = "timeout master_timeout cluster_manager_timeout"
CHOICE = "ignore_unavailable allow_no_indices expand_wildcards local flat_settings include_defaults"
ALIAS_GIVEN = "The provided expression [{name}] matches an alias, specify the corresponding concrete indices instead."


def _found(cluster: Cluster, call: Call) -> list[UserIndex]:
    expression = call.names.get("index", "_all")
    return names.found(cluster, expression, lenient=call.flag("ignore_unavailable"))


def _shown(cluster: Cluster, call: Call) -> list[UserIndex]:
    """Return the indices whose metadata are asked for. Raises Refused where these are blocked."""
    indices = _found(cluster, call)
    blocks.check(indices, "metadata_read")
    return indices


def _body(call: Call) -> Mapping[str, Any]:
    try:
        body = call.json()
    except Refused as error:
        # The server tells its parser's words as the cause.
        why = {key: value for key, value in error.body["error"].items() if key != "root_cause"}
        raise refused(400, "parse_exception", "Failed to parse content to map", why) from None
    return body or {}


@route("GET /{index}", parameters=CHOICE)
async def get(cluster: Cluster, call: Call) -> Plain:
    """Return all that there is to know of indices."""
    flat = call.flag("flat_settings")
    return Plain({index.name: _whole(cluster, index, flat=flat) for index in _shown(cluster, call)})


def _whole(cluster: Cluster, index: UserIndex, *, flat: bool) -> dict[str, Any]:
    shown = settings.shown(cluster, index, flat=flat)
    return {"aliases": index.aliases, "mappings": index.mappings, "settings": shown}


@route("PUT /{index}", parameters=f"{TIMES} wait_for_active_shards include_type_name")
async def put(cluster: Cluster, call: Call) -> Plain:
    """Create an index."""
    name = call.names["index"]
    create(cluster, name, _body(call))
    return Plain({**ACKNOWLEDGED, "shards_acknowledged": True, "index": name})


@route("DELETE /{index}", parameters=f"{TIMES} {CHOICE}")
async def delete(cluster: Cluster, call: Call) -> Plain:
    """Delete indices; an alias does not stand for its indices here."""
    for name in call.names["index"].split(","):
        if names.is_alias(cluster, name):
            raise illegal(ALIAS_GIVEN.format(name=name))
    indices = _found(cluster, call)
    blocks.check(indices, "metadata_write", but="read_only_allow_delete")
    for index in indices:
        del cluster.own[index.name]
    return Plain(ACKNOWLEDGED)


@route("GET /{index}/_mapping", "GET /_mapping", parameters=f"{TIMES} {CHOICE}")
async def get_mapping(cluster: Cluster, call: Call) -> Plain:
    """Return the mappings of indices."""
    return Plain({index.name: {"mappings": index.mappings} for index in _shown(cluster, call)})


@route(
    *("PUT /{index}/_mapping", "POST /{index}/_mapping"),
    parameters=f"{TIMES} {CHOICE} write_index_only",
)
async def put_mapping(cluster: Cluster, call: Call) -> Plain:
    """Add fields to the mappings of indices."""
    indices, given = _found(cluster, call), _body(call)
    if call.http.body is None:
        raise no_body()
    blocks.check(indices, "metadata_write")
    try:
        wanted = [_remapped(cluster, index, given) for index in indices]
    except Refused as error:
        raise bare(error) from None
    for index, merged in zip(indices, wanted, strict=True):
        index.remap(merged)
    return Plain(ACKNOWLEDGED)


def _remapped(cluster: Cluster, index: UserIndex, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the mapping of an index with more fields. Raises Refused."""
    return mappings.merged(index.mappings, mappings.checked(expanded(cluster, given), is_knn=index.is_knn))


@route(
    *("GET /{index}/_settings", "GET /_settings", "GET /{index}/_settings/{name}", "GET /_settings/{name}"),
    parameters=f"{TIMES} {CHOICE}",
)
async def get_settings(cluster: Cluster, call: Call) -> Plain:
    """Return the settings of indices, or those of some names."""
    flat, wanted = call.flag("flat_settings"), call.names.get("name", "*")
    shown = {index.name: settings.shown(cluster, index, wanted, flat=flat) for index in _shown(cluster, call)}
    return Plain({name: {"settings": one} for name, one in shown.items() if one})


@route("PUT /{index}/_settings", parameters=f"{TIMES} {CHOICE} preserve_existing")
async def put_settings(cluster: Cluster, call: Call) -> Plain:
    """Change settings of indices."""
    if not call.http.body:
        raise no_body()
    given, keeps = _body(call), call.flag("preserve_existing")
    changes = settings.read(given.get("settings", given))
    settings.check_plugins(cluster, changes)
    if not changes:
        raise invalid_request("no settings to update")
    indices = _found(cluster, call)
    if len(changes) > 1 or not changes.keys() & blocks.WAYS_OUT:
        blocks.check(indices, "metadata_write")
    new = [(index, settings.changed(index, changes, keeps=keeps)) for index in indices]
    for index, changed in new:
        index.settings = changed
        if changes.get("refresh_interval", "-1") != "-1":
            index.settle_all()
    return Plain(ACKNOWLEDGED)


@route("PUT /{index}/_block/{name}", parameters=f"{TIMES} {CHOICE}")
async def put_block(cluster: Cluster, call: Call) -> Plain:
    """Add a block to indices."""
    name, indices = call.names["name"], _found(cluster, call)
    if name not in blocks.BLOCKS:
        raise illegal(f"No block found with name {name}")
    for index in indices:
        index.settings = {**index.settings, f"blocks.{name}": "true"}
    rows = [{"name": index.name, "blocked": True} for index in indices]
    return Plain({**ACKNOWLEDGED, "shards_acknowledged": True, "indices": rows})


@route(
    *("POST /{index}/_refresh", "GET /{index}/_refresh", "POST /_refresh", "GET /_refresh"),
    *("POST /{index}/_flush", "GET /{index}/_flush", "POST /_flush"),
    parameters=CHOICE,
)
async def refresh(cluster: Cluster, call: Call) -> Plain:
    """Make all writes visible to searches."""
    indices = _found(cluster, call)
    for index in indices:
        index.settle_all()
    return Plain({"_shards": all_shards(indices)})
