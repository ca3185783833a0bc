"""How many requests at once a cluster's own models can make use of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from aiomlcommons.errors import MLCommonsError

if TYPE_CHECKING:
    from aiomlcommons.client import Client

# A node's pool for predictions has two threads for each core; as many again are on their way or wait next in line.
# What comes above that only waits, in a line that is ten thousand long.
FOR_EACH_CORE = 4
ASKED = {"filter_path": "nodes.*.roles,nodes.*.os.allocated_processors"}


async def max_useful_requests(ml: Client) -> int | None:
    """The most requests at once that the nodes' thread pools make anything of; None where they are not told."""
    try:
        nodes = (await ml.request("GET", "/_nodes/os", query=ASKED)).json()["nodes"].values()
        cores = sum(node["os"]["allocated_processors"] for node in _running_models(list(nodes)))
    except (MLCommonsError, ValueError, LookupError, TypeError, AttributeError):
        # Whoever may predict need not be one who may look at nodes, and a job can do without.
        return None
    return FOR_EACH_CORE * cores or None


def _running_models(nodes: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The nodes that models are for, or those that they run on where there are none such."""
    return [node for node in nodes if "ml" in node["roles"]] or [node for node in nodes if "data" in node["roles"]]
