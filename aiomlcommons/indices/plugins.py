"""The plugins of a cluster, as far as indices need them: k-NN for dense vectors, neural-search for other fields."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from aiomlcommons.errors import ApiError, Forbidden, NotFound, NotSupported
from aiomlcommons.wire.version import Version

if TYPE_CHECKING:
    from aiomlcommons.client import Client

KNN = "opensearch-knn"
NEURAL_SEARCH = "opensearch-neural-search"
# The first k-NN that reads a vector from base64, in little-endian byte order.
READS_BASE64 = Version(3, 8)
# Which plugin has a type of fields, or a setting of indices.
_OWNERS = {"knn_vector": KNN, "index.knn": KNN, "sparse_vector": NEURAL_SEARCH, "index.sparse": NEURAL_SEARCH}
_OWNERS |= {"semantic": NEURAL_SEARCH, "rank_features": "mapper-extras"}
_UNKNOWN = re.compile(r"No handler for type \[([a-z_]+)\]|unknown setting \[([a-z_.]+)\]")


async def versions_of(ml: Client, plugin: str) -> frozenset[Version] | None:
    """Return the versions of a plugin on all nodes that have it; None if the server or the user's rights hide them.

    https://docs.opensearch.org/latest/api-reference/cat/cat-plugins/
    """
    try:
        return frozenset(Version.parse(one.version) for one in await ml.plugins() if one.component == plugin)
    except (Forbidden, NotFound, NotSupported, ValueError):
        return None


async def reads_base64(ml: Client) -> bool | None:
    """Return whether k-NN reads vectors from base64 on every node, as shards may be on any; None if it is hidden.

    The version of OpenSearch does not tell: during a rolling upgrade it is that of the node which answers.
    """
    versions = await versions_of(ml, KNN)
    return None if versions is None else bool(versions) and min(versions) >= READS_BASE64


def lacking(error: ApiError) -> str:
    """Return what to say of a request that a cluster refuses for the lack of a plugin; empty if it does not."""
    found = _UNKNOWN.search(error.reason)
    name = next(filter(None, found.groups()), "") if found else ""
    if name not in _OWNERS:
        return ""
    what = "the setting" if name.startswith("index.") else "fields of type"
    return (
        f"this cluster does not know {what} {name}, for it lacks the plugin {_OWNERS[name]}: "
        f"install it on every node (bin/opensearch-plugin install {_OWNERS[name]}), or write to a file instead"
    )
