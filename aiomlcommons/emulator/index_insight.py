"""Index insight: its switch. The insights themselves are a model's words on an index, and the emulator has neither."""

from __future__ import annotations

from aiomlcommons.api.index_insight import (
    Acknowledged,
    GetIndexInsightConfig,
    InsightConfig,
    PutIndexInsightConfig,
)
from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.emulator.errors import NO_INSIGHT, missing, refused
from aiomlcommons.emulator.registry import handles

DOCUMENT = "default"


@handles(PutIndexInsightConfig)
async def put(cluster: Cluster, request: PutIndexInsightConfig) -> Acknowledged:
    """Keeps the switch."""
    _check_enabled(cluster)
    cluster.insight_configs.put(request.tenant_id or DOCUMENT, InsightConfig(request.is_enable, request.tenant_id))
    return Acknowledged(acknowledged=True)


@handles(GetIndexInsightConfig)
async def get(cluster: Cluster, _: GetIndexInsightConfig) -> InsightConfig:
    """404 where the switch was never touched."""
    _check_enabled(cluster)
    config = cluster.insight_configs.get(DOCUMENT)
    if config is None:
        raise missing("Failed to find index insight config")
    return config


def _check_enabled(cluster: Cluster) -> None:
    if not cluster.settings.flag("index_insight_feature_enabled"):
        raise refused(500, "runtime_exception", NO_INSIGHT)
