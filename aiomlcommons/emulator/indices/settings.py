"""Settings of an index: how they are given, and how they are shown."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from aiomlcommons.emulator.cluster import Cluster
from aiomlcommons.emulator.errors import illegal, refused
from aiomlcommons.emulator.indices import blocks
from aiomlcommons.emulator.indices.state import UserIndex
from aiomlcommons.wire.version import Version

# What is kept. Only replicas, the refresh interval, the default pipelines, blocks and limits have an effect.
KNOWN = {
    *("number_of_shards", "number_of_replicas", "refresh_interval", "codec", "hidden", "auto_expand_replicas"),
    *("max_result_window", "default_pipeline", "final_pipeline", "replication.type", "creation_date", "gc_deletes"),
    *("mapping.total_fields.limit", "mapping.depth.limit"),
}
KNOWN |= {f"blocks.{name}" for name in blocks.BLOCKS}
NOT_GIVEN = "private index setting [index.{name}] can not be set explicitly"
PRIVATE = ("uuid", "version.created")
OF_NEURAL = ("neural_search.", "sparse")
REPLICAS = "number_of_replicas"
INTERVAL, DURABILITY = "refresh_interval", "translog.durability"
LEAST = {REPLICAS: 0, "neural_search.semantic_ingest_batch_size": 1}
TIME = re.compile(r"-1|0|\d+(?:\.\d+)? *(?:nanos|micros|ms|s|m|h|d)", re.IGNORECASE)
FIXED = {"creation_date", "number_of_shards", "codec", "knn", "knn.derived_source.enabled", "sparse"}
FAMILIES = ("knn", "merge.", "neural_search.", "routing.", "search.", "sparse", "translog.")
OF_KNN = {"merge.policy.floor_segment": "2mb", "merge.policy.max_merge_at_once": "10"}
UNKNOWN = (
    "unknown setting [index.{name}] please check that any required plugins are installed, or check the breaking "
    "changes documentation for removed settings"
)


def read(given: Mapping[str, Any]) -> dict[str, str | None]:
    """Return settings flat, without the prefix ``index.``, as texts; None is for the default.

    Raises Refused for one that no server knows, and for such as replicas that are no number.
    """
    flat = {name.removeprefix("index."): _text(value) for name, value in _flat(given, "")}
    for name in flat:
        if name not in KNOWN and not name.startswith(FAMILIES):
            raise refused(400, "settings_exception", UNKNOWN.format(name=name))
    for name, value in flat.items():
        if value is not None:
            _check(name, value)
    return flat


def of_new(given: Mapping[str, Any]) -> dict[str, str | None]:
    """Return the settings of an index that is created, as ``read`` does. Raises Refused for those of the server."""
    flat = [name.removeprefix("index.") for name, _ in _flat(given, "")]
    if own := [name for name in flat if name in PRIVATE]:
        said = (f"{n}: {NOT_GIVEN.format(name=name)};" for n, name in enumerate(own, 1))
        raise refused(400, "validation_exception", f"Validation Failed: {''.join(said)}")
    return read(given)


def _text(value: Any) -> str | None:
    return str(value).lower() if isinstance(value, bool) else None if value is None else str(value)


def _check(name: str, value: str) -> None:
    if name in LEAST:
        _check_number(name, value)
    if name == INTERVAL and not TIME.fullmatch(value.strip()):
        where = f"setting [index.{name}] with value [{value}] as a time value"
        raise illegal(f"failed to parse {where}: unit is missing or unrecognized")
    if name == DURABILITY and value.upper() not in {"REQUEST", "ASYNC"}:
        raise illegal(f"No enum constant org.opensearch.index.translog.Translog.Durability.{value.upper()}")


def _check_number(name: str, given: str) -> None:
    failed = f"Failed to parse value [{given}] for setting [index.{name}]"
    try:
        number = int(given)
    except ValueError:
        why = {"type": "number_format_exception", "reason": f'For input string: "{given}"'}
        raise refused(400, "illegal_argument_exception", failed, why) from None
    if number < LEAST[name]:
        raise illegal(f"{failed} must be >= {LEAST[name]}")


def check_plugins(cluster: Cluster, given: Iterable[str]) -> None:
    """Raise Refused for a setting of a plugin that the node has not."""
    for name in given:
        plugin = "knn" if name.startswith("knn") else "neural-search" if name.startswith(OF_NEURAL) else None
        if plugin is not None and not cluster.has(plugin):
            raise refused(400, "settings_exception", UNKNOWN.format(name=name))


def changed(index: UserIndex, changes: Mapping[str, str | None], *, keeps: bool = False) -> dict[str, str]:
    """Return the settings of an index with changes, or with ``keeps`` only with such as it has not.

    Raises Refused for one that an open index cannot change.
    """
    if fixed := [f"index.{name}" for name in changes if name in FIXED]:
        raise illegal(
            f"Can't update non dynamic settings [[{', '.join(fixed)}]] for open indices [[{index.name}/{index.uuid}]]"
        )
    return with_defaults({**changes, **index.settings} if keeps else {**index.settings, **changes})


def with_defaults(given: Mapping[str, str | None]) -> dict[str, str]:
    """Return settings without such as are None; replicas always have a number."""
    return {REPLICAS: "1", **{name: value for name, value in given.items() if value is not None}}


def _flat(node: Mapping[str, Any], above: str) -> Iterator[tuple[str, Any]]:
    for name, value in node.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def shown(cluster: Cluster, index: UserIndex, wanted: str = "*", *, flat: bool = False) -> dict[str, Any]:
    """Return the settings of an index, nested unless they are wanted flat, with those that the server adds.

    ``wanted`` are names with the prefix ``index.``, or patterns of such.
    """
    is_knn = index.settings.get("knn") == "true"
    every = {
        "replication.type": "DOCUMENT",
        **(OF_KNN | {"knn.derived_source.enabled": "true"} if is_knn else {}),
        "number_of_shards": "1",
        "creation_date": str(index.created),
        **index.settings,
        "provided_name": index.name,
        "uuid": index.uuid,
        "version.created": _created(cluster.version),
    }
    patterns = ["*" if one == "_all" else one for one in wanted.split(",")]
    chosen = {
        name: every[name]
        for name in sorted(every)
        if any(fnmatch.fnmatchcase(f"index.{name}", pattern) for pattern in patterns)
    }
    return (
        {f"index.{name}": value for name, value in chosen.items()} if flat or not chosen else {"index": _nested(chosen)}
    )


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
