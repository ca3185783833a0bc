"""The handler of ``GET /``: name and version of the server."""

from __future__ import annotations

from aiomlcommons.api.server import GetInfo, Info, Version
from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.emulator.registry import handles


@handles(GetInfo)
async def info(cluster: Cluster, _: GetInfo) -> Info:
    """Return the version of the emulated OpenSearch; the name shows that it is an emulator."""
    return Info(
        name="emulator",
        cluster_name="aiomlcommons-emulator",
        cluster_uuid=cluster.uuid,
        version=Version(
            number=cluster.version,
            distribution="opensearch",
            build_type="tar",
            build_hash="unknown",
            build_date="2025-12-15T21:42:54.481067826Z",
            build_snapshot=False,
            lucene_version="10.3.2",
            minimum_wire_compatibility_version="2.19.0",
            minimum_index_compatibility_version="2.0.0",
        ),
        tagline="The OpenSearch Project: https://opensearch.org/",
    )
