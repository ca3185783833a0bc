"""A simulated restart: records survive, the state of the node is lost, and shards recover for a while."""

from __future__ import annotations

from typing import Any

from aiomlcommons.api.models import GetModel, SearchModels
from aiomlcommons.api.predict import Predict, PredictByModel
from aiomlcommons.api.server import GetInfo
from aiomlcommons.api.settings import GetClusterSettings, PutClusterSettings
from aiomlcommons.api.stats import GetModelProfiles, GetProfile, GetStats, GetTaskProfiles
from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.emulator.counting import Counts
from aiomlcommons.emulator.errors import SHARD, Refused, refused, status_error
from aiomlcommons.emulator.routes import Call, PlainRoute
from aiomlcommons.endpoint import Request

# Answered from the cluster state or by the node.
NEED_NO_SHARD = (
    GetInfo,
    GetClusterSettings,
    PutClusterSettings,
    GetProfile,
    GetModelProfiles,
    GetTaskProfiles,
    GetStats,
)
RECOVERING = "CurrentState[RECOVERING] operations only allowed when shard state is one of [POST_RECOVERY, STARTED]"
NO_DATA = "Failed to get data object from index .plugins-ml-model"
NO_SEARCH = "Fail to search model version"


def restart(cluster: Cluster, recovering: int = 0) -> None:
    """Clear the state of the node and leave the records as they were, stale where they described that state."""
    for index in cluster.indices():
        index.settle_all()
    for state in (cluster.jobs, cluster.deploying, cluster.on_node, cluster.calls, cluster.points, cluster.ingested):
        state.clear()
    cluster.counts, cluster.loads, cluster.recovering = Counts(), 0, recovering


def check_recovered(cluster: Cluster, request: Request[Any]) -> None:
    """Count a request that needs a shard; raise Refused during shard recovery, with the error of its route.

    The last request that is refused finds a shard that is not ready; those before it find none.
    """
    if not cluster.recovering or isinstance(request, NEED_NO_SHARD):
        return
    cluster.recovering -= 1
    raise _refusal(cluster, request, is_there=cluster.recovering == 0)


def check_shards(cluster: Cluster, known: PlainRoute, call: Call) -> None:
    """Count a request for an index of a user; raise Refused during shard recovery if it needs a shard."""
    if not cluster.recovering or known.needs == "nothing":
        return
    cluster.recovering -= 1
    raise _no_shard(call) if known.needs == "get" else _no_shards()


def _no_shard(call: Call) -> Refused:
    name, key = call.names.get("index", "_all"), call.names.get("id", "")
    reason = f"No shard available for [get [{name}][{key}]: routing [null]]"
    return refused(503, "no_shard_available_action_exception", reason)


def _no_shards() -> Refused:
    error = {"root_cause": [], "type": "search_phase_execution_exception", "reason": "all shards failed"}
    more = {"phase": "query", "grouped": True, "failed_shards": []}
    return Refused(503, {"error": {**error, **more}, "status": 503})


def _refusal(cluster: Cluster, request: Request[Any], *, is_there: bool) -> Refused:
    if isinstance(request, Predict | PredictByModel):
        return _no_data(cluster, 404, request.model_id, is_there=is_there)
    if isinstance(request, GetModel):
        return _no_data(cluster, 500, request.model_id, is_there=is_there)
    if isinstance(request, SearchModels):
        return status_error(500, NO_SEARCH)
    if is_there:
        cause = _cause(cluster, "", is_there=True)
        return refused(503, cause.pop("type"), cause.pop("reason"), **cause)
    return Refused(503, None)


def _cause(cluster: Cluster, key: str, *, is_there: bool) -> dict[str, Any]:
    index = cluster.models
    if is_there:
        shard = {"index": index.name, "shard": SHARD, "index_uuid": index.uuid}
        return {"type": "illegal_index_shard_state_exception", "reason": RECOVERING, **shard}
    reason = f"No shard available for [get [{index.name}][{key}]: routing [null]]"
    return {"type": "no_shard_available_action_exception", "reason": reason}


def _no_data(cluster: Cluster, status: int, key: str, *, is_there: bool) -> Refused:
    root, cause = _cause(cluster, key, is_there=is_there), _cause(cluster, key, is_there=False)
    if is_there:
        cause |= {"caused_by": root}
    error = {"root_cause": [root], "type": "status_exception", "reason": NO_DATA, "caused_by": cause}
    return Refused(status, {"error": error, "status": status})
