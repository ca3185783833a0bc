"""The routes of search pipelines: creating, looking at and deleting them."""

from __future__ import annotations

from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.emulator.pipelines import searches
from aiomlcommons.emulator.pipelines.store import ACKNOWLEDGED, TIMES, body_of, forgotten, shown
from aiomlcommons.emulator.registry import Plain
from aiomlcommons.emulator.routes import Call, route


@route("GET /_search/pipeline", "GET /_search/pipeline/{id}", parameters=TIMES)
async def get(cluster: Cluster, call: Call) -> Plain:
    """Return pipelines: all, or those of some names or patterns."""
    return shown(cluster.search_pipelines, call.names.get("id", "*"))


@route("PUT /_search/pipeline/{id}", parameters=TIMES)
async def put(cluster: Cluster, call: Call) -> Plain:
    """Create or replace a pipeline. Whether its models exist is not checked."""
    body = body_of(call)
    searches.parsed(cluster, call.names["id"], body)
    cluster.search_pipelines[call.names["id"]] = body
    return Plain(ACKNOWLEDGED)


@route("DELETE /_search/pipeline/{id}", parameters=TIMES)
async def delete(cluster: Cluster, call: Call) -> Plain:
    """Delete a pipeline, or those of a pattern."""
    return forgotten(cluster.search_pipelines, call.names["id"])
