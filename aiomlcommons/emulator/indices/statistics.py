"""``_stats``: how many documents an index has, how many bytes, and how far the operations of its shard have come."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.emulator.encoding import to_json
from aiomlcommons.emulator.errors import illegal
from aiomlcommons.emulator.index import Document, token
from aiomlcommons.emulator.indices import blocks, names
from aiomlcommons.emulator.indices.state import Documents, Source, UserIndex
from aiomlcommons.emulator.querying.errors import not_emulated
from aiomlcommons.emulator.registry import Plain
from aiomlcommons.emulator.routes import Call, route

CHOICE = "expand_wildcards level forbid_closed_indices include_unloaded_segments"
LEVELS = ("cluster", "indices", "shards")
BAD_LEVEL = "level parameter must be one of [cluster] or [indices] or [shards] but was [{level}]"
BAD_METRIC = "request [{path}] contains unrecognized metric: [{name}]"
METRICS = ("docs", "store")
# The server counts these, too.
OTHERS = {
    *("completion", "fielddata", "flush", "get", "indexing", "merge", "query_cache", "recovery", "refresh"),
    *("request_cache", "search", "segments", "suggest", "translog", "warmer"),
}
PATH = "/usr/share/opensearch/data/nodes/0"


def size_of(index: UserIndex) -> int:
    """Return the bytes of an index: those of its documents."""
    return _size(index.documents)


def _size(documents: Documents) -> int:
    return sum(map(_size_of, documents.values()))


def _size_of(document: Document[Source]) -> int:
    if document.size is None:
        document.size = len(to_json(document.kept))
    return document.size


def all_shards(indices: Iterable[UserIndex]) -> dict[str, int]:
    """Return how many shards indices have: replicas are on no node."""
    counted = [(index.shard_count, index.copies) for index in indices]
    total, primaries = sum(count * copies for count, copies in counted), sum(count for count, _ in counted)
    return {"total": total, "successful": primaries, "failed": 0}


@route(
    *("GET /{index}/_stats", "GET /{index}/_stats/{metric}", "GET /_stats", "GET /_stats/{metric}"),
    parameters=CHOICE,
)
async def stats(cluster: Cluster, call: Call) -> Plain:
    """Return the counts of indices; with ``level=shards`` those of their shards too, and their sequence numbers."""
    level, wanted = call.http.query.get("level", "indices"), _metrics(call)
    if level not in LEVELS:
        raise illegal(BAD_LEVEL.format(level=level))
    found = names.found(cluster, call.names.get("index", "_all"))
    blocks.check(found, "metadata_read")
    counted = {index.name: _counts(index.visible(), index.documents, wanted) for index in found}
    whole: dict[str, Any] = {
        "_shards": all_shards(found),
        "_all": _twice(_sum(list(counted.values()), wanted)),
    }
    if level != "cluster":
        own = {index.name: {"uuid": index.uuid, **_twice(counted[index.name])} for index in found}
        if level == "shards":
            own = {index.name: {**own[index.name], "shards": _shards(cluster, index, wanted)} for index in found}
        whole["indices"] = own
    return Plain(whole)


def _metrics(call: Call) -> Sequence[str]:
    given = call.names.get("metric", "_all").split(",")
    for name in given:
        if name in OTHERS:
            raise not_emulated(f"statistics [{name}] of an index")
        if name not in {*METRICS, "_all"}:
            raise illegal(BAD_METRIC.format(path=call.http.path, name=name))
    return [name for name in METRICS if name in given or "_all" in given]


def _counts(visible: Documents, all_of_them: Documents, wanted: Sequence[str]) -> dict[str, dict[str, int]]:
    counts = {}
    if "docs" in wanted:
        counts["docs"] = {"count": len(visible), "deleted": 0}
    if "store" in wanted:
        counts["store"] = {"size_in_bytes": _size(all_of_them), "reserved_in_bytes": 0}
    return counts


def _sum(counts: Sequence[Mapping[str, Mapping[str, int]]], wanted: Sequence[str]) -> dict[str, dict[str, int]]:
    if not counts:
        return {}
    return {name: {key: sum(one[name][key] for one in counts) for key in counts[0][name]} for name in wanted}


def _twice(counts: Mapping[str, Any]) -> dict[str, Any]:
    """Return counts as those of the primaries and as those of all shards: replicas are on no node."""
    return {"primaries": counts, "total": counts}


def _shards(cluster: Cluster, index: UserIndex, wanted: Sequence[str]) -> dict[str, Any]:
    found = {}
    for number in range(index.shard_count):
        visible, every = (index.of_shards(documents, {number}) for documents in (index.visible(), index.documents))
        found[str(number)] = [_shard(cluster, index, number, _counts(visible, every, wanted))]
    return found


def _shard(cluster: Cluster, index: UserIndex, number: int, counts: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is told of a shard. It was never committed, and nobody but its node holds a lease."""
    last = index.next_seq_no[number] - 1
    committed = {"local_checkpoint": "-1", "max_seq_no": "-1", "max_unsafe_auto_id_timestamp": "-1"}
    lease = {"retaining_seq_no": 0, "timestamp": index.created, "source": "peer recovery"}
    return {
        "routing": {"state": "STARTED", "primary": True, "node": cluster.node_id, "relocating_node": None},
        **counts,
        "commit": {
            "id": token(16),
            "generation": 2,
            "user_data": {"translog_uuid": index.uuid, "history_uuid": index.uuid, **committed},
            "num_docs": 0,
        },
        "seq_no": {"max_seq_no": last, "local_checkpoint": last, "global_checkpoint": last},
        "retention_leases": {
            "primary_term": 1,
            "version": 1,
            "leases": [{"id": f"peer_recovery/{cluster.node_id}", **lease}],
        },
        "shard_path": {"state_path": PATH, "data_path": PATH, "is_custom_data_path": False},
    }
