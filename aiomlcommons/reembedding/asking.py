"""Searches of documents as they are, past the search pipelines of users."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from aiomlcommons.wire.codec import quoted
from aiomlcommons.wire.version import Version

if TYPE_CHECKING:
    from aiomlcommons.client import Client

# Before it there are none, and the parameter is refused.
_HAS_SEARCH_PIPELINES = Version(2, 9)


async def hits_of(ml: Client, index: str, body: Mapping[str, Any]) -> list[Any]:
    """Return the hits of a search as the server sends them. Raises ApiError, ConnectError."""
    version = await ml.version()
    query = {"search_pipeline": "_none"} if version is None or version >= _HAS_SEARCH_PIPELINES else {}
    answer = await ml.request("POST", f"/{quoted(index)}/_search", body=body, query=query, repeatable=True)
    hits: list[Any] = answer.json()["hits"]["hits"]
    return hits
