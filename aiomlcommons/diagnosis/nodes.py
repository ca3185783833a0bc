"""The nodes of a cluster: what they are, and how full they are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from aiomlcommons.client import Client
from aiomlcommons.wire.features import Feature

ML_PLUGIN = "opensearch-ml"
_STATS = "/_nodes/stats/os,jvm,breaker,fs"


@attrs.frozen
class Node:
    """A node. ``plugins`` are the versions of its plugins by name."""

    id: str
    name: str
    version: str
    roles: frozenset[str]
    plugins: Mapping[str, str]

    @property
    def is_ml(self) -> bool:
        """Whether it is an ML node."""
        return "ml" in self.roles


@attrs.frozen
class NodeUse:
    """How full a node is: percentages, and bytes. None is what the server did not tell.

    ``memory`` is that of the machine, where the page cache counts as used. ``tripped`` counts how often the parent
    circuit breaker has opened.
    """

    id: str
    name: str
    roles: frozenset[str]
    memory: float | None = None
    heap: float | None = None
    heap_used: int | None = None
    heap_max: int | None = None
    cpu: float | None = None
    load: float | None = None
    free_disk: int | None = None
    tripped: int = 0


async def nodes(ml: Client) -> list[Node]:
    """Return the nodes. Raises NotSupported for a server that has none to show, else as ``ml.request`` does."""
    ml.flavor.need(Feature.CLUSTER_SETTINGS, "GET /_nodes")
    answer = (await ml.request("GET", "/_nodes/plugins")).json()
    return [_node(key, one) for key, one in _by_id(answer)]


async def node_uses(ml: Client) -> list[NodeUse]:
    """Return how full the nodes are. Raises as ``nodes`` does."""
    ml.flavor.need(Feature.CLUSTER_SETTINGS, f"GET {_STATS}")
    answer = (await ml.request("GET", _STATS)).json()
    return [_use(key, one) for key, one in _by_id(answer)]


def _by_id(answer: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    found: Mapping[str, Mapping[str, Any]] = answer.get("nodes") or {}
    return iter(sorted(found.items(), key=lambda item: str(item[1].get("name"))))


def _node(key: str, told: Mapping[str, Any]) -> Node:
    plugins = {str(one.get("name")): str(one.get("version")) for one in told.get("plugins") or ()}
    return Node(key, str(told.get("name")), str(told.get("version")), frozenset(told.get("roles") or ()), plugins)


def _use(key: str, told: Mapping[str, Any]) -> NodeUse:
    heap, load = _at(told, "jvm", "mem") or {}, _at(told, "os", "cpu", "load_average") or {}
    return NodeUse(
        key,
        str(told.get("name")),
        frozenset(told.get("roles") or ()),
        memory=_at(told, "os", "mem", "used_percent"),
        heap=heap.get("heap_used_percent"),
        heap_used=heap.get("heap_used_in_bytes"),
        heap_max=heap.get("heap_max_in_bytes"),
        cpu=_at(told, "os", "cpu", "percent"),
        load=load.get("1m"),
        free_disk=_at(told, "fs", "total", "free_in_bytes"),
        tripped=_at(told, "breakers", "parent", "tripped") or 0,
    )


def _at(told: Any, *keys: str) -> Any:
    for key in keys:
        told = told.get(key) if isinstance(told, Mapping) else None
    return told
