"""``_cat`` as JSON: the indices, and the plugins that the emulator stands for."""

from __future__ import annotations

from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.emulator.encoding import to_json
from aiomlcommons.emulator.indices import names
from aiomlcommons.emulator.indices.state import UserIndex
from aiomlcommons.emulator.querying.errors import not_emulated
from aiomlcommons.emulator.registry import Plain
from aiomlcommons.emulator.routes import Call, route

COLUMNS = "format h s v bytes local expand_wildcards"


@route("GET /_cat/indices", "GET /_cat/indices/{index}", parameters=COLUMNS)
async def indices(cluster: Cluster, call: Call) -> Plain:
    """Return a row for each index."""
    _check(call)
    found = names.found(cluster, call.names.get("index", "_all"))
    return Plain([_row(index) for index in found])


def _row(index: UserIndex) -> dict[str, str]:
    size = f"{sum(len(to_json(document.source)) for document in index.documents.values())}b"
    return {
        "health": "yellow" if index.copies > 1 else "green",
        "status": "open",
        "index": index.name,
        "uuid": index.uuid,
        "pri": "1",
        "rep": str(index.copies - 1),
        "docs.count": str(len(index.visible())),
        "docs.deleted": "0",
        "store.size": size,
        "pri.store.size": size,
    }


@route("GET /_cat/plugins", parameters=COLUMNS)
async def plugins(cluster: Cluster, call: Call) -> Plain:
    """Return a row for each plugin of the node."""
    _check(call)
    version = f"{cluster.version}.0"
    return Plain([{"name": "emulator", "component": name, "version": version} for name in cluster.plugins])


def _check(call: Call) -> None:
    if call.http.query.get("format") != "json":
        raise not_emulated("tables of _cat but those with format=json")
