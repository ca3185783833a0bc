"""Statistics: the number of resources, and of requests and failures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs

from aiomlcommons.api.model_records import Model
from aiomlcommons.api.stats import ActionStats, GetStats, NodeStats, Stats
from aiomlcommons.emulator.cluster import Cluster, Index
from aiomlcommons.emulator.errors import illegal
from aiomlcommons.emulator.registry import handles

LEVELS = {"CLUSTER", "NODE", "ALGORITHM", "MODEL", "ACTION"}
NODE_STATS = {
    "ml_request_count",
    "ml_failure_count",
    "ml_deployed_model_count",
    "ml_executing_task_count",
    "ml_jvm_heap_usage",
    "ml_circuit_breaker_trigger_count",
}


@attrs.frozen
class Wanted:
    """The requested levels and statistics; an empty set of names means all."""

    levels: set[str]
    of_cluster: set[str]
    of_node: set[str]


@handles(GetStats)
async def get(cluster: Cluster, request: GetStats) -> Stats:
    """Return statistics since the emulator was created or restarted."""
    of_cluster = _of_cluster(cluster)
    wanted = _wanted(request, of_cluster)
    shown = _chosen(of_cluster, wanted.of_cluster) if "CLUSTER" in wanted.levels else {}
    node = _node(cluster, request, wanted)
    return Stats(**shown, nodes={cluster.node_id: node} if node is not None else None)


def _wanted(request: GetStats, known: Mapping[str, Any]) -> Wanted:
    named = [name.lower() for name in (request.stat or "").split(",") if name]
    of_node = {name for name in named if name in NODE_STATS} | _lower(request.node_level_stats)
    of_cluster = {name for name in named if name not in NODE_STATS} | _lower(request.cluster_level_stats)
    if of_cluster - known.keys():
        raise illegal("Wrong ML cluster level stat")
    levels = {level.upper() for level in request.target_stat_levels or ()}
    if levels - LEVELS:
        raise illegal("Wrong ML stat level")
    if named:
        levels |= {level for level, names in (("CLUSTER", of_cluster), ("NODE", of_node)) if names}
    return Wanted(levels or LEVELS, of_cluster, of_node)


def _lower(names: Iterable[str] | None) -> set[str]:
    return {name.lower() for name in names or ()}


def _chosen(stats: Mapping[str, Any], names: set[str]) -> dict[str, Any]:
    return {name: value for name, value in stats.items() if not names or name in names}


def _of_cluster(cluster: Cluster) -> dict[str, Any]:
    return {
        "ml_model_count": len(_models(cluster)),
        "ml_connector_count": len(cluster.connectors.documents),
        "ml_model_index_status": _status(cluster.models),
        "ml_connector_index_status": _status(cluster.connectors),
        "ml_config_index_status": _status(cluster.configs),
        "ml_task_index_status": _status(cluster.tasks),
        "ml_controller_index_status": _status(cluster.controllers),
    }


def _models(cluster: Cluster) -> list[Model]:
    sources = [document.source for document in cluster.models.documents.values()]
    return [model for model in sources if model.chunk_number is None]


def _status(index: Index[Any]) -> str:
    return "green" if index.existed else "non-existent"


# ---- the node ------------------------------------------------------------------------------------------------------


def _node(cluster: Cluster, request: GetStats, wanted: Wanted) -> NodeStats | None:
    nodes = [*(request.node_id or "").split(","), *(request.node_ids or ())]
    if wanted.levels == {"CLUSTER"} or (any(nodes) and cluster.node_id not in nodes):
        return None
    shown = _chosen(_of_node(cluster), wanted.of_node) if "NODE" in wanted.levels else {}
    algorithms = _algorithms(cluster, request) if wanted.levels & {"ALGORITHM", "ACTION"} else {}
    # The server returns models whatever the requested level.
    models = _by_model(cluster, request)
    return NodeStats(**shown, algorithms=algorithms, models=models) if shown or algorithms or models else None


def _of_node(cluster: Cluster) -> dict[str, int]:
    return {
        "ml_request_count": cluster.counts.requests.total(),
        "ml_failure_count": cluster.counts.failures.total(),
        "ml_deployed_model_count": len(cluster.on_node),
        "ml_executing_task_count": len(cluster.jobs),
        "ml_jvm_heap_usage": cluster.machine.heap,
        # Opened by faults and by a full machine alike, and not counted.
        "ml_circuit_breaker_trigger_count": 0,
    }


def _algorithms(cluster: Cluster, request: GetStats) -> dict[str, dict[str, ActionStats]]:
    names, counts = _lower(request.action_level_stats), cluster.counts
    found: dict[str, dict[str, ActionStats]] = {}
    for (algorithm, action), requests in counts.requests.items():
        if _among(algorithm, request.algorithms) and _among(action, request.actions):
            failures = counts.failures[algorithm, action] or None
            each = {"ml_action_request_count": requests, "ml_action_failure_count": failures}
            found.setdefault(algorithm, {})[action] = ActionStats(**_chosen(each, names))
    return found


def _by_model(cluster: Cluster, request: GetStats) -> dict[str, dict[str, ActionStats | bool]]:
    found: dict[str, dict[str, ActionStats | bool]] = {}
    for (model_id, action), requests in cluster.counts.by_model.items():
        if _among(model_id, request.models) and _among(action, request.actions):
            found.setdefault(model_id, {})[action] = ActionStats(ml_action_request_count=requests)
    return found


def _among(name: str, wanted: Sequence[str] | None) -> bool:
    return not wanted or name.lower() in _lower(wanted)
