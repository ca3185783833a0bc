"""A point in time (PIT) of an index: searches in it see the index as it was when the first of them began."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import anyio
import attrs

from aiomlcommons.errors import ApiError, ConnectError
from aiomlcommons.http import HttpResponse
from aiomlcommons.ingest.errors import SourceError
from aiomlcommons.ingest.json_values import has_long_numbers, loaded
from aiomlcommons.wire.version import Version

if TYPE_CHECKING:
    from aiomlcommons.client import Client

EXPIRED = b"search_context_missing_exception"
# Timeout in seconds for deleting the point in time, which delays the end of the reading.
CLOSING = 5.0
# Before it there are none, and the parameter is refused.
_HAS_SEARCH_PIPELINES = Version(2, 9)


def page_of(response: HttpResponse) -> Any:
    """Return the answer to a search, in which whole numbers of any length keep their digits. Raises DecodeError."""
    page = response.json()
    return loaded(response.body) if has_long_numbers(response.body) else page


async def past_pipelines(ml: Client) -> dict[str, str]:
    """Return the parameters of a search that goes past the search pipeline of an index.

    That one may filter: documents that it hides would be missing in a copy, and nothing would tell.
    """
    version = await ml.version()
    return {"search_pipeline": "_none"} if version is None or version >= _HAS_SEARCH_PIPELINES else {}


@attrs.define
class PointInTime:
    """A point in time, opened by the first search. If it expires, a new one is opened, unless ``renewable`` is False.

    Searches go past the search pipeline of the index.

    Attributes:
        ml: The session, whose retries are those of the searches.
        path: The name of the index, an alias or a pattern, quoted for a URL.
        keep_alive: How long it lives after each search.
        preference: Which copies of which shards are searched. Default: one of each shard.
        renewable: Whether what is searched makes sense in a new one too.
    """

    ml: Client
    path: str
    keep_alive: str = "5m"
    preference: str | None = None
    renewable: bool = True
    _id: str = ""

    async def search(self, body: Mapping[str, Any]) -> Any:
        """Return the answer to a search. Raises SourceError if it has expired and may not be renewed, ApiError."""
        try:
            page = await self._search(body)
        except ApiError as error:
            if EXPIRED not in error.response.body:
                raise
            if not self.renewable:
                raise SourceError(f"{self.path} cannot resume without its point in time, which has expired") from error
            self._id = ""
            page = await self._search(body)
        self._id = page.get("pit_id", self._id)
        return page

    async def close(self) -> None:
        """Delete it; if that fails, it expires by itself. It is shielded from cancellation."""
        if not self._id:
            return
        once = self.ml.options(retries=0, wait=0, timeout=CLOSING)
        with anyio.CancelScope(shield=True):
            try:
                await once.request("DELETE", "/_search/point_in_time", body={"pit_id": [self._id]})
            except (ApiError, ConnectError):
                return

    async def _search(self, body: Mapping[str, Any]) -> Any:
        if not self._id:
            self._id = await self._open()
        # Else documents of an unavailable shard would be missing without an error.
        query = {**await past_pipelines(self.ml), "allow_partial_search_results": "false"}
        pit = {"id": self._id, "keep_alive": self.keep_alive}
        # GET, which the session may retry.
        response = await self.ml.request("GET", "/_search", query=query, body={**body, "pit": pit})
        return page_of(response)

    async def _open(self) -> str:
        query = {"keep_alive": self.keep_alive, "allow_partial_pit_creation": "false"}
        if self.preference is not None:
            query["preference"] = self.preference
        path = f"/{self.path}/_search/point_in_time"
        # Repeatable: a point in time whose response was lost expires by itself.
        response = await self.ml.request("POST", path, query=query, repeatable=True)
        return str(response.json()["pit_id"])
