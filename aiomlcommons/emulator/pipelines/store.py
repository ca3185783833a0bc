"""The routes of ingest pipelines: creating, looking at and deleting them."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from typing import Any

from aiomlcommons.emulator.bad_json import map_of
from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.emulator.errors import refused
from aiomlcommons.emulator.pipelines import ingest_pipelines
from aiomlcommons.emulator.pipelines.options import bad_config
from aiomlcommons.emulator.registry import Plain
from aiomlcommons.emulator.routes import Call, route

ACKNOWLEDGED = {"acknowledged": True}
TIMES = "timeout master_timeout cluster_manager_timeout"
Kept = dict[str, Mapping[str, Any]]


@route("GET /_ingest/pipeline", "GET /_ingest/pipeline/{id}", parameters=TIMES)
async def get(cluster: Cluster, call: Call) -> Plain:
    """Return pipelines: all, or those of some names or patterns."""
    return shown(cluster.pipelines, call.names.get("id", "*"))


@route("PUT /_ingest/pipeline/{id}", parameters=TIMES)
async def put(cluster: Cluster, call: Call) -> Plain:
    """Create or replace a pipeline. Whether its models exist is not checked."""
    body = body_of(call)
    ingest_pipelines.parsed(cluster, call.names["id"], body)
    cluster.pipelines[call.names["id"]] = body
    cluster.had_pipelines = True
    return Plain(ACKNOWLEDGED)


@route("DELETE /_ingest/pipeline/{id}", parameters=TIMES)
async def delete(cluster: Cluster, call: Call) -> Plain:
    """Delete a pipeline, or those of a pattern."""
    # A cluster that never had a pipeline acknowledges the deletion of any.
    return forgotten(cluster.pipelines, call.names["id"]) if cluster.had_pipelines else Plain(ACKNOWLEDGED)


def body_of(call: Call) -> Mapping[str, Any]:
    """Return the body of a request that must have one."""
    if not call.http.body:
        raise bad_config("request body or source parameter is required")
    return map_of(call.http.body, call.version)


def shown(kept: Kept, names: str) -> Plain:
    """Return the pipelines of some names; 404 if there are none."""
    found = {key: body for key, body in kept.items() if _is_named(key, names)}
    return Plain(found, 200 if found else 404)


def forgotten(kept: Kept, names: str) -> Plain:
    """Delete the pipelines of some names. Raises Refused (404) where there is none."""
    # Unlike those that are shown, it is one name or one pattern.
    found = [key for key in kept if fnmatch.fnmatchcase(key, names)]
    if not found and names != "*":
        raise refused(404, "resource_not_found_exception", f"pipeline [{names}] is missing")
    for key in found:
        del kept[key]
    return Plain(ACKNOWLEDGED)


def _is_named(key: str, names: str) -> bool:
    return any(fnmatch.fnmatchcase(key, name) for name in names.split(","))
