"""The documents of an OpenSearch index, read by ``search_after`` in a point in time (PIT)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs
import orjson

from aiomlcommons.errors import InvalidRequest
from aiomlcommons.ingest.errors import SourceError
from aiomlcommons.ingest.sources.point_in_time import PointInTime
from aiomlcommons.ingest.types import Row, Rows, check_session
from aiomlcommons.typed import typed_fields
from aiomlcommons.wire.codec import quoted

if TYPE_CHECKING:
    from aiomlcommons.client import Client

BY_ID = "_id"


def _check_session(_: object, __: object, session: Client) -> None:
    check_session(session)


def _check_named(_: object, __: object, index: str) -> None:
    # To the server no name is a pattern for all indices, as when a variable of a script is empty.
    if not isinstance(index, str):
        raise TypeError(f"index must be the name of an index, not {type(index).__name__}")
    if not index.strip():
        raise InvalidRequest("an index to read must have a name; '*' stands for all of them")


@attrs.frozen(field_transformer=typed_fields)
class IndexSource:
    """The documents of an index: the fields of ``_source``, with the document's id as ``_id``.

    A point in time gives a consistent snapshot of the index. If it expires, or when a later process resumes, a new one
    is opened after the last document. A position is the sort values before the first row (a ``search_after`` cursor).
    Needs OpenSearch 2.4 or newer.

    Args:
        session: The session whose cluster holds the index.
        index: The name of the index, an alias or a pattern.
        query: Selects documents. Default: all.
        fields: The fields to fetch. Default: all.
        size: Documents in a page.
        keep_alive: How long the point in time lives after each request.
        sort: ``_id``, and the index, of which a pattern may have several; or ``_shard_doc``, which is cheaper for the
            cluster (OpenSearch 3.3 or newer) but cannot resume.
        stall_timeout: Seconds to retry while the cluster is unavailable; a job sets its own.
    """

    session: Client = attrs.field(validator=_check_session)
    index: str = attrs.field(validator=_check_named)
    query: Mapping[str, Any] | None = None
    fields: Sequence[str] | None = None
    size: int = 1_000
    keep_alive: str = "5m"
    sort: str = attrs.field(default=BY_ID, validator=attrs.validators.in_((BY_ID, "_shard_doc")))
    stall_timeout: float = 600.0

    @property
    def name(self) -> str:
        """The index, and the query if there is one."""
        chosen = "" if self.query is None else " " + orjson.dumps(self.query, option=orjson.OPT_SORT_KEYS).decode()
        return f"{self.index}{chosen}"

    def rereadable(self) -> bool:
        """Return True."""
        return True

    async def count(self) -> int | None:
        """Return the current number of documents. Raises as ``session.request`` does."""
        body = None if self.query is None else {"query": self.query}
        response = await self._patient_client.request("GET", f"/{self.path}/_count", body=body)
        return int(response.json()["count"])

    async def read(self, position: Any = None, start: int = 0) -> AsyncGenerator[Rows]:
        """Yield the documents. Raises SourceError if the reading cannot resume, ApiError, ConnectError."""
        client, renewable = self._patient_client, self.sort == BY_ID
        pit = PointInTime(client, self.path, self.keep_alive, renewable=renewable)
        reading = _Reading(self, self._after(position), pit)
        try:
            while hits := await reading.next():
                yield Rows(start, [_row(hit) for hit in hits], reading.position)
                start += len(hits)
        finally:
            await pit.close()

    def with_stall_timeout(self, seconds: float) -> IndexSource:
        """Return the source with another stall timeout."""
        return attrs.evolve(self, stall_timeout=seconds)

    def _after(self, position: Any) -> list[Any] | None:
        if position is None:
            return None
        if not isinstance(position, list) or len(position) != len(self.sort_keys) or self.sort != BY_ID:
            raise SourceError(f"{self.name} cannot resume at {position!r}: only a reading sorted by {BY_ID} can")
        return position

    @property
    def sort_keys(self) -> tuple[str, ...]:
        """What the documents are sorted by: without their index, those of one id would be lost between two pages."""
        return (BY_ID, "_index") if self.sort == BY_ID else (self.sort,)

    @property
    def _patient_client(self) -> Client:
        """The session, with retries for up to ``stall_timeout`` seconds while the cluster is unavailable."""
        return self.session.options(wait=self.stall_timeout)

    @property
    def path(self) -> str:
        """The name of the index, quoted for a URL."""
        return quoted(self.index, ",*")


@attrs.define
class _Reading:
    """One pass over an index: its point in time, and the sort values of the last document as cursor (``after``)."""

    source: IndexSource
    after: list[Any] | None
    pit: PointInTime
    position: list[Any] | None = None

    async def next(self) -> list[Any]:
        """Return the next documents; none mean the end."""
        page = await self.pit.search(self._body())
        hits: list[Any] = page["hits"]["hits"]
        self.position, self.after = self.after, hits[-1]["sort"] if hits else self.after
        return hits

    def _body(self) -> dict[str, Any]:
        source = self.source
        body = {
            "size": source.size,
            "sort": [{key: "asc"} for key in source.sort_keys],
            "track_total_hits": False,
            "query": source.query,
            "_source": None if source.fields is None else list(source.fields),
            "search_after": self.after,
        }
        return {key: value for key, value in body.items() if value is not None}


def _row(hit: Mapping[str, Any]) -> Row:
    return {**hit.get("_source", {}), "_id": hit["_id"]}
