"""Searches of documents as they are, past the search pipelines of users."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from aiomlcommons.ingest.sources.point_in_time import past_pipelines
from aiomlcommons.wire.codec import quoted

if TYPE_CHECKING:
    from aiomlcommons.client import Client


async def hits_of(ml: Client, index: str, body: Mapping[str, Any]) -> list[Any]:
    """Return the hits of a search as the server sends them. Raises ApiError, ConnectError."""
    hits: list[Any] = (await _searched(ml, index, body))["hits"]["hits"]
    return hits


async def count_of(ml: Client, index: str, query: Mapping[str, Any] | None = None) -> int:
    """Return how many documents an index has; ``_count`` goes through its search pipeline. Raises as ``hits_of``."""
    body = {"size": 0, "track_total_hits": True, **({} if query is None else {"query": query})}
    return int((await _searched(ml, index, body))["hits"]["total"]["value"])


async def _searched(ml: Client, index: str, body: Mapping[str, Any]) -> Any:
    query = await past_pipelines(ml)
    answer = await ml.request("POST", f"/{quoted(index)}/_search", body=body, query=query, repeatable=True)
    return answer.json()
