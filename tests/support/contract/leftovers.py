"""The resources that a test has left on a server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import anyio

from aiomlcommons import Backoff, NotFound, NotSupported, Session
from aiomlcommons.api.common import Hits

_LOOKS = 8


async def left_of(ml: Session, name: str) -> list[str]:
    """Return the models, groups, connectors, agents and memory containers of a name, which should be removed.

    Polled until there are none, for a while: a search may find deleted documents for another second.
    """
    left: list[str] = []
    for pause in Backoff().tries(_LOOKS):
        left = await _seen(ml, name)
        if not left or pause is None:
            break
        await anyio.sleep(pause)
    return left


async def _seen(ml: Session, name: str) -> list[str]:
    query = {"query": {"match": {"name": name.split()[-1]}}}
    searches: dict[str, Callable[[Any], Awaitable[Hits[Any]]]] = {
        "model": ml.models.search,
        "group": ml.model_groups.search,
        "connector": ml.connectors.search,
        "agent": ml.agents.search,
        "container": ml.memory_containers.search,
    }
    left: list[str] = []
    for kind, search in searches.items():
        try:
            found = await search(query)
        except (NotSupported, NotFound):
            continue  # the server has none of that type, or not even their index
        left += [f"{kind} {hit.id}" for hit in found]
    return left
