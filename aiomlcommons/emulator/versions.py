"""What a server of the emulated version does otherwise than an older one."""

from __future__ import annotations

from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.version import Version


def since(cluster: Cluster, version: str) -> bool:
    """Whether the emulated cluster is of this version or newer."""
    return Version.parse(cluster.version) >= Version.parse(version)
