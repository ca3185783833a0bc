"""The indices of the emulator as a table, in the format of the ListIndexTool."""

from __future__ import annotations

import fnmatch
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from aiomlcommons.emulator.cluster import Cluster, Index
from aiomlcommons.emulator.connectors.templates import is_json
from aiomlcommons.emulator.encoding import to_json
from aiomlcommons.emulator.errors import illegal, no_index
from aiomlcommons.wire import convert

HEADER = (
    "row,health,status,index,uuid,pri(number of primary shards),rep(number of replica shards),"
    "docs.count(number of available documents),docs.deleted(number of deleted documents),"
    "store.size(store size of primary and replica shards),pri.store.size(store size of primary shards)"
)
UNITS = ("b", "kb", "mb", "gb")


async def list_indices(cluster: Cluster, parameters: Mapping[str, str]) -> str:
    """Return the table of the indices in the parameter ``indices``, or of all.

    Raises Refused where one of them does not exist.
    """
    wanted = _names(parameters.get("indices", ""))
    rows = list(_chosen(_indices(cluster), wanted))
    if not rows:
        return f"There were no results searching the indices parameter [{parameters.get('indices')}]."
    lines = [HEADER, *(_row(number, index) for number, index in enumerate(rows, 1))]
    return "\n".join(lines) + "\n"


def index_names(cluster: Cluster) -> set[str]:
    """Return the names of the existing indices."""
    return {index.name for index in _indices(cluster)}


def _names(text: str) -> list[str]:
    if not text.strip():
        return []
    found = orjson.loads(text) if is_json(text) else None
    if not isinstance(found, list):
        raise illegal(f"indices must be a JSON list of names, not {text}")
    return [str(name) for name in found]


def _indices(cluster: Cluster) -> list[Index[Any]]:
    return [index for index in cluster.indices() if index.existed]


def _chosen(indices: Sequence[Index[Any]], wanted: Sequence[str]) -> Iterable[Index[Any]]:
    names = {index.name for index in indices}
    for name in wanted:
        if "*" not in name and name not in names:
            raise no_index(name)
    patterns = wanted or ["*"]
    return (index for index in indices if any(fnmatch.fnmatchcase(index.name, pattern) for pattern in patterns))


def _row(number: int, index: Index[Any]) -> str:
    size = _size(sum(len(to_json(_data(document.source))) for document in index.documents.values()))
    cells = (number, "green", "open", index.name, index.uuid, 1, 0, len(index.documents), 0, size, size)
    return ",".join(map(str, cells))


def _data(source: Any) -> Any:
    # Documents of users are wire data already, and hold vectors.
    return source if isinstance(source, dict) else convert.unstructure(source)


def _size(octets: int) -> str:
    power = min(len(UNITS) - 1, int(math.log(octets, 1024)) if octets else 0)
    return f"{octets / 1024**power:.1f}".removesuffix(".0") + UNITS[power]
