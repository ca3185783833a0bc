"""Settings of an index: how they are given, and how they are shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.emulator.errors import refused
from aiomlcommons.emulator.indices.state import UserIndex
from aiomlcommons.wire.version import Version

# What is kept. Only replicas, the refresh interval, the default pipeline, blocked writes and limits have an effect.
KNOWN = {
    *("number_of_shards", "number_of_replicas", "refresh_interval", "codec", "hidden", "auto_expand_replicas"),
    *("max_result_window", "default_pipeline", "final_pipeline", "blocks.write", "replication.type"),
    *("mapping.total_fields.limit", "mapping.depth.limit"),
}
FAMILIES = ("knn", "merge.", "neural_search.", "routing.", "search.", "sparse", "translog.")
OF_KNN = {"merge.policy.floor_segment": "2mb", "merge.policy.max_merge_at_once": "10"}
UNKNOWN = (
    "unknown setting [index.{name}] please check that any required plugins are installed, or check the breaking "
    "changes documentation for removed settings"
)


def read(given: Mapping[str, Any]) -> dict[str, str]:
    """Return settings flat, without the prefix ``index.``, as texts. Raises Refused for one that no server knows."""
    flat = {name.removeprefix("index."): _text(value) for name, value in _flat(given, "")}
    for name in flat:
        if name not in KNOWN and not name.startswith(FAMILIES):
            raise refused(400, "settings_exception", UNKNOWN.format(name=name))
    return flat


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _flat(node: Mapping[str, Any], above: str) -> Iterator[tuple[str, Any]]:
    for name, value in node.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def shown(cluster: Cluster, index: UserIndex) -> dict[str, Any]:
    """Return the settings of an index, nested, with those that the server adds."""
    is_knn = index.settings.get("knn") == "true"
    every = {
        "replication.type": "DOCUMENT",
        **(OF_KNN | {"knn.derived_source.enabled": "true"} if is_knn else {}),
        "number_of_shards": "1",
        **index.settings,
        "provided_name": index.name,
        "creation_date": str(index.created),
        "uuid": index.uuid,
        "version.created": _created(cluster.version),
    }
    return {"index": _nested(every)}


def _created(version: str) -> str:
    known = Version.parse(version)
    return str((known.major * 1_000_000 + known.minor * 10_000 + 99) ^ 0x08000000)


def _nested(flat: Mapping[str, str]) -> dict[str, Any]:
    """Return settings as objects; below a setting that has a value itself, the rest of the name is kept together."""
    tree: dict[str, Any] = {}
    for name, value in flat.items():
        node, path = tree, name.split(".")
        if path[0] in flat and len(path) > 1:
            path = [f"{path[0]}.{path[1]}", *path[2:]]
        for part in path[:-1]:
            node = node.setdefault(part, {})
        node[path[-1]] = value
    return tree
