"""What a server of 2.4 says in its tasks when several load a model at once."""

from __future__ import annotations

from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.emulator.errors import DUPLICATE_DEPLOY, Conflict

_THROWN = "java.lang.IllegalArgumentException: Duplicate model task"
_WHERE = "org.opensearch.ml.model.MLModelCacheHelper.initModelState(MLModelCacheHelper.java:45)"


def conflict(error: Conflict) -> str:
    """Somebody else wrote the model's record."""
    (cause,) = error.body["error"]["root_cause"]
    name, why = cause["index"], f"VersionConflictEngineException[{error.reason}]"
    where = f"[{name}/{cause['index_uuid']}][[{name}][0]]"
    remote = f"RemoteTransportException[[emulator][127.0.0.1:9300][indices:data/write/update[s]]]; nested: {why}"
    return f"{remote};\nCaused by: {where} {why}\n"


def of_node(cluster: Cluster, problem: str) -> str:
    """Why the node does not load a model: a map of Java with the stack in it, or only the words."""
    return f"{{{cluster.node_id}={_THROWN}\n\tat {_WHERE}\n}}" if problem == DUPLICATE_DEPLOY else problem
