"""The documents of an OpenSearch index, as they are when it begins to be read."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import anyio
import attrs
import orjson

from aiomlcommons.errors import ApiError, ConnectError
from aiomlcommons.ingest.errors import SourceError
from aiomlcommons.ingest.types import Row, Rows

if TYPE_CHECKING:
    from aiomlcommons.client import Client

EXPIRED = b"search_context_missing_exception"
BY_ID = "_id"
# Seconds for giving a point in time back, for which whoever leaves has to wait.
CLOSING = 5.0


@attrs.frozen
class IndexSource:
    """The documents of an index: the fields of ``_source``, and the document's id as ``_id``.

    A point in time keeps changes of the index out of the reading, for ``keep_alive`` after each request; where it is
    lost, or in a later program, a new one is opened after the last document. ``query`` chooses documents (default:
    all), ``fields`` are the only ones fetched (default: all), ``size`` documents come at once. ``sort="_shard_doc"`` is
    cheaper for the cluster (OpenSearch 3.3 or newer), but such a reading can only begin at the beginning. A mark is
    the sort values before the first row. A cluster that is away or starts is waited for, ``stall_timeout`` seconds
    (default 600; a job sets its own). Needs OpenSearch 2.4 or newer.
    """

    session: Client
    index: str
    query: Mapping[str, Any] | None = None
    fields: Sequence[str] | None = None
    size: int = 1_000
    keep_alive: str = "5m"
    sort: str = attrs.field(default=BY_ID, validator=attrs.validators.in_((BY_ID, "_shard_doc")))
    stall_timeout: float = 600.0

    @property
    def name(self) -> str:
        """The index, and the query where there is one."""
        chosen = "" if self.query is None else " " + orjson.dumps(self.query, option=orjson.OPT_SORT_KEYS).decode()
        return f"{self.index}{chosen}"

    async def count(self) -> int | None:
        """How many documents it has now. Raises as ``session.request`` does."""
        body = None if self.query is None else {"query": self.query}
        answer = await self.patient.request("GET", f"/{self.path}/_count", body=body)
        return int(answer.json()["count"])

    async def read(self, position: Any = None, start: int = 0) -> AsyncGenerator[Rows]:
        """The documents. Raises SourceError where they cannot be read on, ApiError, ConnectError."""
        reading = _Reading(self, self._after(position))
        try:
            while hits := await reading.next():
                yield Rows(start, [_row(hit) for hit in hits], reading.position)
                start += len(hits)
        finally:
            with anyio.CancelScope(shield=True):
                await reading.close()

    def _after(self, position: Any) -> list[Any] | None:
        if position is not None and (not isinstance(position, list) or self.sort != BY_ID):
            raise SourceError(f"{self.name} cannot be read on from {position!r}: only a reading sorted by {BY_ID} can")
        return position

    @property
    def patient(self) -> Client:
        """The session, which waits for the cluster."""
        return self.session.options(wait=self.stall_timeout)

    @property
    def path(self) -> str:
        """The index as it stands in a URL."""
        return quote(self.index, safe=",*")


@attrs.define
class _Reading:
    """One way through an index: the point in time that is open, and the sort values of the last document."""

    source: IndexSource
    after: list[Any] | None
    position: list[Any] | None = None
    pit: str = ""

    async def next(self) -> list[Any]:
        """The next documents; none are the end."""
        try:
            answer = await self._search()
        except ApiError as error:
            if EXPIRED not in error.response.body:
                raise
            answer = await self._again(error)
        self.pit = answer.get("pit_id", self.pit)
        hits: list[Any] = answer["hits"]["hits"]
        self.position, self.after = self.after, hits[-1]["sort"] if hits else self.after
        return hits

    async def close(self) -> None:
        """Give the point in time back; where that fails the cluster does so itself after a while."""
        if self.pit:
            once = self.source.session.options(retries=0, wait=0, timeout=CLOSING)
            try:
                await once.request("DELETE", "/_search/point_in_time", body={"pit_id": [self.pit]})
            except (ApiError, ConnectError):
                return

    async def _search(self) -> Any:
        if not self.pit:
            self.pit = await self._open()
        # Without it, an index of which a part cannot be read would seem to be shorter.
        whole = {"allow_partial_search_results": "false"}
        # GET, as it may be repeated: a search changes nothing.
        answer = await self.source.patient.request("GET", "/_search", query=whole, body=self._body())
        return answer.json()

    async def _again(self, error: ApiError) -> Any:
        if self.source.sort != BY_ID:
            raise SourceError(f"{self.source.name} cannot be read on: its point in time was lost") from error
        self.pit = ""
        return await self._search()

    async def _open(self) -> str:
        query = {"keep_alive": self.source.keep_alive, "allow_partial_pit_creation": "false"}
        path = f"/{self.source.path}/_search/point_in_time"
        # One too many, of which the answer was lost, ends by itself.
        answer = await self.source.patient.request("POST", path, query=query, repeatable=True)
        return str(answer.json()["pit_id"])

    def _body(self) -> dict[str, Any]:
        source = self.source
        body = {
            "size": source.size,
            "pit": {"id": self.pit, "keep_alive": source.keep_alive},
            "sort": [{source.sort: "asc"}],
            "track_total_hits": False,
            "query": source.query,
            "_source": None if source.fields is None else list(source.fields),
            "search_after": self.after,
        }
        return {key: value for key, value in body.items() if value is not None}


def _row(hit: Mapping[str, Any]) -> Row:
    return {**hit.get("_source", {}), "_id": hit["_id"]}
