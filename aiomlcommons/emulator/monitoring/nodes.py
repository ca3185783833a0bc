"""The routes of the node and the cluster beside ML Commons: roles, plugins, statistics, health, and the user."""

from __future__ import annotations

import fnmatch
from typing import Any

from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.emulator.errors import plain
from aiomlcommons.emulator.machine import GB
from aiomlcommons.emulator.pipelines.tallies import Tallies, Tally
from aiomlcommons.emulator.registry import Plain
from aiomlcommons.emulator.routes import Call, route

HEAP = GB
NAME = "emulator"
ATTRIBUTES = {"shard_indexing_pressure_enabled": "true"}
METRICS = ("os", "jvm", "breaker", "fs")
UNSETTLED = (
    *("relocating_shards", "initializing_shards", "unassigned_shards", "delayed_unassigned_shards"),
    *("number_of_pending_tasks", "number_of_in_flight_fetch", "task_max_waiting_in_queue_millis"),
)
IDLE = dict.fromkeys(
    (
        *("operations", "read_operations", "write_operations", "read_kilobytes", "write_kilobytes"),
        *("read_time", "write_time", "queue_size", "io_time_in_millis"),
    ),
    0,
)
MEMORY = {"native_memory": {"total_estimated_bytes": HEAP}}
DATA = {"path": "/usr/share/opensearch/data/nodes/0", "mount": "/ (/dev/vda)", "type": "ext4"}


@route("GET /_nodes/plugins")
async def plugins(cluster: Cluster, _: Call) -> Plain:
    """Return the node with its roles and plugins."""
    found = [{"name": name, "version": f"{cluster.version}.0"} for name in cluster.plugins]
    return _nodes(cluster, {"version": cluster.version, "plugins": found})


@route(f"GET /_nodes/stats/{','.join(METRICS)}")
async def stats(cluster: Cluster, _: Call) -> Plain:
    """Return those statistics of the node that matter to ML Commons."""
    machine = cluster.machine
    heap = {"heap_used_in_bytes": machine.heap * HEAP // 100, "heap_max_in_bytes": HEAP}
    load = {"1m": machine.cpu / 50, "5m": machine.cpu / 50, "15m": machine.cpu / 50}
    found: dict[str, Any] = {
        "os": {
            "cpu": {"percent": machine.cpu, "load_average": load},
            "mem": {"used_percent": machine.memory, "free_percent": 100 - machine.memory},
        },
        "jvm": {"mem": {**heap, "heap_used_percent": machine.heap}},
        "fs": {"total": {"total_in_bytes": machine.disk, "free_in_bytes": machine.free_disk}},
        "breakers": {"parent": {"limit_size_in_bytes": HEAP * 95 // 100, "tripped": 0}},
    }
    return _nodes(cluster, found)


@route("GET /_nodes/stats/fs")
async def disk_stats(cluster: Cluster, _: Call) -> Plain:
    """Return the bytes of the node's disk. Nothing is read from it or written to it."""
    machine, now = cluster.machine, cluster.now()
    total = {
        "total_in_bytes": machine.disk,
        "free_in_bytes": machine.free_disk,
        "available_in_bytes": machine.free_disk,
        "cache_reserved_in_bytes": 0,
    }
    found = {
        "timestamp": now,
        "total": total,
        "data": [{**DATA, **total}],
        "io_stats": {"devices": [{"device_name": "vda", **IDLE}], "total": IDLE},
    }
    return _nodes(cluster, {**_where(cluster), "fs": found})


def _where(cluster: Cluster) -> dict[str, Any]:
    address = "127.0.0.1:9300"
    return {"timestamp": cluster.now(), "transport_address": address, "ip": address, "attributes": ATTRIBUTES, **MEMORY}


@route("GET /_nodes/stats/ingest")
async def ingest_stats(cluster: Cluster, _: Call) -> Plain:
    """Return what the pipelines of documents have done since the node was started."""
    every: dict[str, Tallies] = {name: one for name, one in cluster.ingested.items() if name in cluster.pipelines}
    whole = Tally()
    for one in every.values():
        whole.add(one.whole)
    pipelines = {name: one.shown() for name, one in every.items()}
    told = {"ingest": {"total": whole.shown(), "pipelines": pipelines}}
    return _nodes(cluster, {**_where(cluster), **told})


def _nodes(cluster: Cluster, told: dict[str, Any]) -> Plain:
    node = {"name": NAME, "host": "127.0.0.1", "roles": list(cluster.machine.roles), **told}
    counts = {"total": 1, "successful": 1, "failed": 0}
    return Plain({"_nodes": counts, "cluster_name": "aiomlcommons-emulator", "nodes": {cluster.node_id: node}})


@route(
    "GET /_cluster/health", "GET /_cluster/health/{names}", parameters="level timeout expand_wildcards wait_for_status"
)
async def health(cluster: Cluster, call: Call) -> Plain:
    """Return the health of indices, which are all green."""
    patterns = call.names.get("names", "*").split(",")
    known = {index.name: index.shard_count for index in cluster.indices() if index.existed}
    matching = [name for name in known if any(fnmatch.fnmatchcase(name, each) for each in patterns)]
    shards = sum(known[name] for name in matching)
    found: dict[str, Any] = {
        "cluster_name": "aiomlcommons-emulator",
        "status": "green",
        "timed_out": False,
        "number_of_nodes": 1,
        "number_of_data_nodes": 1,
        "discovered_master": True,
        "discovered_cluster_manager": True,
        **dict.fromkeys(("active_primary_shards", "active_shards"), shards),
        **dict.fromkeys(UNSETTLED, 0),
        "active_shards_percent_as_number": 100.0,
    }
    if call.http.query.get("level") == "indices":
        found["indices"] = {name: {"status": "green"} for name in matching}
    return Plain(found)


@route("GET /_plugins/_security/authinfo")
async def authinfo(cluster: Cluster, call: Call) -> Plain:
    """Return who the user is; without the security plugin there is no such route."""
    security = cluster.security
    if security is None:
        uri = f"for uri [{call.http.path}] and method [{call.http.method}]"
        raise plain(400, f"no handler found {uri}", with_status=False)
    user = f"User [name={security.user}, backend_roles=[], requestedTenant=null]"
    return Plain({"user": user, "user_name": security.user, "backend_roles": [], "roles": security.roles})


@route("PUT /_plugins/_security/api/rolesmapping/{role}")
async def map_role(cluster: Cluster, call: Call) -> Plain:
    """Map a role to users; ml_full_access gives the privileges of ML Commons and those to monitor."""
    security = cluster.security
    if security is not None and security.user in (call.json() or {}).get("users", ()):
        security.roles.append(call.names["role"])
        security.denied = [] if call.names["role"] == "ml_full_access" else security.denied
    return Plain({"status": "CREATED", "message": f"'{call.names['role']}' created."}, 201)
