"""Concurrency that a model is expected to take, before anything is measured: where to begin, and where to end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from aiomlcommons.errors import MLCommonsError

if TYPE_CHECKING:
    from aiomlcommons.client import Client

# A node's predict thread pool has two threads per core; as many requests again are on the wire or next in its queue.
# Any more would only wait in that queue, which holds ten thousand.
REQUESTS_PER_CORE = 4
# Requests at once to begin with, if nothing is known of the cores; and the most, which any provider takes.
UNKNOWN, START = 2, 8
QUERY = {"filter_path": "nodes.*.roles,nodes.*.os.allocated_processors"}


async def max_useful_requests(ml: Client) -> int | None:
    """Return the most concurrent requests that the nodes' thread pools can use, or None if the cores are not known."""
    try:
        nodes = (await ml.request("GET", "/_nodes/os", query=QUERY)).json()["nodes"].values()
        cores = sum(node["os"]["allocated_processors"] for node in _model_nodes(list(nodes)))
    except (MLCommonsError, ValueError, LookupError, TypeError, AttributeError):
        # A user may have the right to predict but not to read node information, and the bound is optional.
        return None
    return REQUESTS_PER_CORE * cores or None


def first_requests(most: int | None, *, remote: bool) -> int:
    """Return how many requests to begin with: 8 for a provider, and one for each core, up to 8, for a local model."""
    if remote:
        return START
    return UNKNOWN if most is None else min(START, most // REQUESTS_PER_CORE)


def _model_nodes(nodes: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return the dedicated ML nodes, or the data nodes if there are none: those run the models then."""
    return [node for node in nodes if "ml" in node["roles"]] or [node for node in nodes if "data" in node["roles"]]
