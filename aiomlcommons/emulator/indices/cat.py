"""``_cat`` as JSON: the indices, and the plugins that the emulator stands for."""

from __future__ import annotations

from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.emulator.indices import names
from aiomlcommons.emulator.indices.state import UserIndex
from aiomlcommons.emulator.indices.statistics import size_of
from aiomlcommons.emulator.querying.errors import not_emulated
from aiomlcommons.emulator.registry import Plain
from aiomlcommons.emulator.routes import Call, route

COLUMNS = "format h s v bytes local expand_wildcards"
NODE = {"host": "127.0.0.1", "ip": "127.0.0.1", "node": "emulator"}


@route("GET /_cat/indices", "GET /_cat/indices/{index}", parameters=COLUMNS)
async def indices(cluster: Cluster, call: Call) -> Plain:
    """Return a row for each index."""
    _check(call)
    found = names.found(cluster, call.names.get("index", "_all"))
    return _table(call, [_row(index, _size(call, size_of(index))) for index in found])


def _size(call: Call, size: int) -> str:
    """Return a size with its unit, unless bytes are asked for."""
    return str(size) if call.http.query.get("bytes") == "b" else f"{size}b"


def _table(call: Call, rows: list[dict[str, str]]) -> Plain:
    """Return rows, with all columns or with those that are wanted."""
    wanted = call.http.query.get("h")
    if wanted is None:
        return Plain(rows)
    return Plain([{name: row[name] for name in wanted.split(",") if name in row} for row in rows])


def _row(index: UserIndex, size: str) -> dict[str, str]:
    return {
        "health": "yellow" if index.copies > 1 else "green",
        "status": "open",
        "index": index.name,
        "uuid": index.uuid,
        "pri": str(index.shard_count),
        "rep": str(index.copies - 1),
        "docs.count": str(len(index.visible())),
        "docs.deleted": "0",
        "store.size": size,
        "pri.store.size": size,
    }


@route("GET /_cat/allocation", parameters=COLUMNS)
async def allocation(cluster: Cluster, call: Call) -> Plain:
    """Return a row for the node: how much of its disk indices take, and how much is free."""
    _check(call)
    machine, found = cluster.machine, names.every(cluster)
    used = machine.disk - machine.free_disk
    sizes = {"indices": sum(map(size_of, found)), "used": used, "avail": machine.free_disk, "total": machine.disk}
    row = {
        "shards": str(sum(index.shard_count for index in found)),
        **{f"disk.{name}": _size(call, size) for name, size in sizes.items()},
    }
    return _table(call, [{**row, "disk.percent": str(100 * used // machine.disk), **NODE}])


@route("GET /_cat/plugins", parameters=COLUMNS)
async def plugins(cluster: Cluster, call: Call) -> Plain:
    """Return a row for each plugin of the node."""
    _check(call)
    version = f"{cluster.version}.0"
    return _table(call, [{"name": "emulator", "component": name, "version": version} for name in cluster.plugins])


def _check(call: Call) -> None:
    if call.http.query.get("format") != "json":
        raise not_emulated("tables of _cat but those with format=json")
