"""Index insight: its switch. The insights themselves are a model's words on an index, and the emulator has neither."""

from __future__ import annotations

from aiomlcommons.api.index_insight import (
    Acknowledged,
    GetIndexInsight,
    GetIndexInsightConfig,
    InsightConfig,
    PutIndexInsightConfig,
)
from aiomlcommons.emulator.agents._index_table import index_names
from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.emulator.errors import NO_INSIGHT, Refused, illegal, no_index, refused
from aiomlcommons.emulator.registry import handles

DOCUMENT = "default"
KINDS = {"STATISTICAL_DATA", "FIELD_DESCRIPTION", "LOG_RELATED_INDEX_CHECK", "ALL"}


@handles(PutIndexInsightConfig)
async def put(cluster: Cluster, request: PutIndexInsightConfig) -> Acknowledged:
    """Keeps the switch."""
    _check_enabled(cluster)
    cluster.insight_configs.put(request.tenant_id or DOCUMENT, InsightConfig(request.is_enable, request.tenant_id))
    return Acknowledged(acknowledged=True)


@handles(GetIndexInsightConfig)
async def get(cluster: Cluster, _: GetIndexInsightConfig) -> InsightConfig:
    """500 where the switch was never touched, for the index that holds it is made by the first touch."""
    _check_enabled(cluster)
    config = cluster.insight_configs.get(DOCUMENT)
    if config is None:
        raise _no_config(cluster)
    return config


@handles(GetIndexInsight)
async def find(cluster: Cluster, request: GetIndexInsight) -> None:
    """Refuses: kinds of insight that nobody knows, indices that are not there, and then any."""
    if request.insight_type.upper() not in KINDS:
        raise illegal("Wrong index insight type")
    _check_enabled(cluster)
    if request.index_id not in index_names(cluster):
        raise no_index(request.index_id)
    if cluster.insight_configs.get(DOCUMENT) is None:
        raise _no_config(cluster)
    raise refused(501, "not_emulated", "the emulator has no insights of its own indices")


def _no_config(cluster: Cluster) -> Refused:
    name = cluster.insight_configs.name
    cause = no_index(name, "index_expression").body["error"]["root_cause"][0]
    error = {"type": "status_exception", "reason": f"Failed to get data object from index {name}", "caused_by": cause}
    return Refused(500, {"error": {"root_cause": [cause], **error}, "status": 500})


def _check_enabled(cluster: Cluster) -> None:
    if not cluster.settings.flag("index_insight_feature_enabled"):
        raise refused(500, "runtime_exception", NO_INSIGHT)
