"""The target index of an IndexSink: finding or creating it, checking its mapping, and checking that it stays the same.

The server creates a missing index on the first write, with a mapping of its own. So the UUID is compared, not the name.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import attrs

from aiomlcommons.errors import BadRequest, Forbidden, NotFound
from aiomlcommons.ingest.errors import SinkError
from aiomlcommons.ingest.sinks._index_mapping import check_index, holds_floats, index_body, searchable
from aiomlcommons.wire.version import Version

if TYPE_CHECKING:
    from aiomlcommons.client import Client

log = logging.getLogger("aiomlcommons")
# The first k-NN that reads a vector from base64, in little-endian byte order.
READS_BASE64 = Version(3, 8)
# Row numbers that are looked for: a server takes 65,536 terms at most.
NUMBERS = 1_000
# The most documents that a search returns, unless the index says otherwise.
LARGEST_PAGE = 10_000


@attrs.define
class Target:
    """An index by its name or alias. ``mappings`` are those of each index behind it, None if there is none.

    ``uuid`` is that of the write index; None while it is not known, or if the user has no permission to read it.
    """

    ml: Client
    name: str
    field: str
    create: bool | Mapping[str, Any] = False
    sparse: bool = False
    uuid: str | None = None
    mappings: dict[str, Any] | None = None
    may_ask: bool = True
    id_field: str | None = None

    @property
    def path(self) -> str:
        """The URL path of the index."""
        return "/" + quote(self.name, safe="")

    async def find(self, taken: int) -> None:
        """Look the index up. ``taken`` is the number of documents that an earlier run wrote to it.

        Raises SinkError if it is missing and must exist (documents were written to it, or ``create`` is not set), or
        if it is not the one that was written to; ApiError.
        """
        self.mappings = await self._found()
        if self.mappings is not None:
            await self.check_same(taken)
        elif taken:
            raise self._gone(taken)
        elif not self.create:
            raise SinkError(f"there is no index {self.name}: create it, or let the sink do so with create=True")

    async def numbered(self) -> str | None:
        """Return an id of the index that is the number of one of the first rows, or None. Raises ApiError."""
        # Those of the first chunks too, if rows are split.
        query = {"ids": {"values": [f"{number}{chunk}" for number in range(NUMBERS) for chunk in ("", "#0")]}}
        body = {"query": query, "size": 1, "_source": False}
        try:
            # Sees what the server has refreshed, as it does at the end of a job.
            response = await self.ml.request("GET", f"{self.path}/_search", body=body)
        except NotFound:
            return None
        except Forbidden as error:
            log.warning("no permission to check whether index %s holds numbered rows already: %s", self.name, error)
            return None
        hits = response.json()["hits"]["hits"]
        return str(hits[0]["_id"]) if hits else None

    async def fit(self, dimension: int | None) -> None:
        """Create a missing index, and check the mapping. Raises SinkError if the vectors do not fit, ApiError."""
        if self.mappings is None:
            await self._make(dimension)
            await self.check_same(0)
        for name, mappings in (self.mappings or {}).items():
            check_index(name, mappings, self.field, dimension, sparse=self.sparse)

    async def check_same(self, taken: int) -> None:
        """Raise SinkError if the index is gone, or not the one that ``taken`` documents were written to; ApiError."""
        if not self.may_ask:
            return
        try:
            uuid = await self._uuid()
        except NotFound as error:
            raise self._gone(taken) from error
        except Forbidden as error:
            log.warning(
                "no permission to check whether index %s is deleted and created again meanwhile: %s", self.name, error
            )
            self.may_ask = False
            return
        if None not in {self.uuid, uuid} and self.uuid != uuid:
            raise SinkError(
                f"index {self.name} was deleted and created again, and {taken:,} documents written before are lost; "
                "check its mapping, and remove the checkpoint to begin anew"
            )
        self.uuid = uuid

    async def holding(self, field: str, ids: Sequence[str]) -> set[str]:
        """Return those of the ids that documents hold in a field, as far as a search finds them. Raises ApiError.

        A server that takes no ids shows documents some seconds after it has accepted them.
        """
        names = {searchable(mappings, field) for mappings in (self.mappings or {}).values()}
        clauses = [{"terms": {name: list(ids)}} for name in names if name is not None]
        if not clauses:
            log.warning("index %s cannot be searched by the field %r: documents may be there twice", self.name, field)
            return set()
        # More than there are ids, because some documents may be there twice already.
        body = {"query": {"bool": {"should": clauses}}, "size": min(2 * len(ids), LARGEST_PAGE), "_source": [field]}
        response = await self.ml.request("GET", f"{self.path}/_search", body=body)
        return {str(hit["_source"][field]) for hit in response.json()["hits"]["hits"]}

    def _gone(self, taken: int) -> SinkError:
        return SinkError(
            f"index {self.name} is gone, and {taken:,} documents were written to it; "
            "remove the checkpoint to begin anew"
        )

    async def reads_base64(self, wanted: bool | None) -> bool:
        """Return whether to send vectors as base64: as ``wanted``, or if the server's version is known to read it."""
        floats = all(holds_floats(mappings, self.field) for mappings in (self.mappings or {}).values())
        if self.sparse or not floats:
            return False
        if wanted is not None:
            return wanted
        version = await self.ml.version()
        return version is not None and version >= READS_BASE64

    async def _found(self) -> dict[str, Any] | None:
        """Fetch the mappings of the index, or of each one behind an alias; None if there is none."""
        try:
            response = await self.ml.request("GET", f"{self.path}/_mapping")
        except NotFound:
            return None
        return {name: index["mappings"] for name, index in response.json().items()}

    async def _make(self, dimension: int | None) -> None:
        given = self.create if isinstance(self.create, Mapping) else {}
        body = index_body(given, self.field, dimension, self.id_field)
        check_index(self.name, body["mappings"], self.field, dimension, sparse=self.sparse)
        try:
            await self.ml.request("PUT", self.path, body=body)
            self.mappings = {self.name: body["mappings"]}
        except BadRequest as error:
            if error.type != "resource_already_exists_exception":
                raise
            # Another client created it meanwhile, or the response to the first try was lost.
            self.mappings = await self._found()

    async def _uuid(self) -> str | None:
        indices = (await self.ml.request("GET", f"{self.path}/_settings")).json()
        name = next(iter(indices)) if len(indices) == 1 else await self._write_index()
        uuid = indices[name]["settings"]["index"].get("uuid")
        return None if uuid is None else str(uuid)

    async def _write_index(self) -> str:
        """Return the write index of an alias for several indices."""
        found: dict[str, Any] = (await self.ml.request("GET", f"{self.path}/_alias")).json()
        for index, known in found.items():
            if known["aliases"].get(self.name, {}).get("is_write_index"):
                return index
        raise SinkError(f"alias {self.name} stands for {', '.join(found)}, and none of them is its write index")
