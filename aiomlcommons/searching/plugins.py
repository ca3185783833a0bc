"""Which plugin has a query, and what to do in a cluster without it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

import attrs

from aiomlcommons.indices.plugins import KNN, NEURAL_SEARCH, versions_of

if TYPE_CHECKING:
    from aiomlcommons.client import Client

_OWNERS: Mapping[str, str] = {
    "knn": KNN,
    "neural": NEURAL_SEARCH,
    "neural_sparse": NEURAL_SEARCH,
    "hybrid": NEURAL_SEARCH,
}
_INSTEAD: Mapping[str, str] = {
    "neural": "; without it, ml.search_text embeds the text itself, as does knn(field, await ml.embed_one(...), k=...)",
    "neural_sparse": "; without it, ml.search_text asks the model itself",
}
_UNKNOWN_QUERY = re.compile(r"unknown query \[(\w+)\]")


@attrs.frozen
class Plugins:
    """Which plugins the nodes of a cluster have; None where that is hidden."""

    knn: bool | None = None
    neural_search: bool | None = None


async def plugins_of(ml: Client) -> Plugins:
    """Return which plugins the cluster has. Raises ConnectError, ApiError."""
    return Plugins(knn=await _has(ml, KNN), neural_search=await _has(ml, NEURAL_SEARCH))


async def _has(ml: Client, plugin: str) -> bool | None:
    versions = await versions_of(ml, plugin)
    return None if versions is None else bool(versions)


def install(plugin: str) -> str:
    """Return how a plugin comes to a cluster."""
    return f"install {plugin} on every node, as a full distribution of OpenSearch has it"


def lacking(reason: str) -> str:
    """Return what to say of a query that a cluster refuses because it has not its plugin; empty if it does not."""
    found = _UNKNOWN_QUERY.search(reason)
    query = found[1] if found else ""
    if (plugin := _OWNERS.get(query)) is None:
        return ""
    return f"the cluster does not know {query!r} queries: {install(plugin)}{_INSTEAD.get(query, '')}"
