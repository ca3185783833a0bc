"""Handlers that get and change cluster settings."""

from __future__ import annotations

from aiomlcommons.api.settings import ClusterSettings, GetClusterSettings, PutClusterSettings
from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.emulator.errors import refused
from aiomlcommons.emulator.registry import handles
from aiomlcommons.emulator.settings.store import nested


@handles(GetClusterSettings)
async def get(cluster: Cluster, request: GetClusterSettings) -> ClusterSettings:
    """Return the settings that are set, and the defaults if requested."""
    shape = dict if request.flat_settings else nested
    store = cluster.settings
    return ClusterSettings(
        persistent=shape(store.persistent),
        transient=shape(store.transient),
        defaults=shape(store.defaults()) if request.include_defaults else None,
    )


@handles(PutClusterSettings)
async def put(cluster: Cluster, request: PutClusterSettings) -> ClusterSettings:
    """Change settings; return those that were set."""
    shape = dict if request.flat_settings else nested
    if not request.persistent and not request.transient:
        raise refused(400, "action_request_validation_exception", "Validation Failed: 1: no settings to update;")
    persistent, transient = cluster.settings.put(request.persistent or {}, request.transient or {})
    return ClusterSettings(acknowledged=True, persistent=shape(persistent), transient=shape(transient))
