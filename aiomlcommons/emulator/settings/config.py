"""The handler of stored configurations."""

from __future__ import annotations

from aiomlcommons.api.config import Config, GetConfig
from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.emulator.errors import illegal, missing
from aiomlcommons.emulator.registry import handles


@handles(GetConfig)
async def get(cluster: Cluster, request: GetConfig) -> Config:
    """Return a document of ``cluster.configs``: the API has no way to write one."""
    if request.config_id == "master_key":
        raise illegal("You are not allowed to access this config doc")
    config = cluster.configs.get(request.config_id)
    if config is None:
        raise missing(f"Failed to find config with the provided config id: {request.config_id}")
    return config
