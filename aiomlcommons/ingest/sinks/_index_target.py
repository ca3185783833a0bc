"""The index that vectors go into: found or made, seen to fit, and seen to stay the same one.

A server that is written to makes an index that is missing, with a mapping of its own. The name is the same then.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import attrs

from aiomlcommons.errors import BadRequest, Forbidden, NotFound
from aiomlcommons.ingest.errors import SinkError
from aiomlcommons.ingest.sinks._index_mapping import check_index, holds_floats, index_body
from aiomlcommons.wire.version import Version

if TYPE_CHECKING:
    from aiomlcommons.client import Client

log = logging.getLogger("aiomlcommons")
# The first k-NN that reads a vector from base64.
READS_BASE64 = Version(3, 9)


@attrs.define
class Target:
    """An index by its name or alias. ``mappings`` are those of each index that it stands for, None where there is none.

    ``uuid`` is that of the index which is written to; None while it is not known, or where the user may not ask.
    """

    ml: Client
    name: str
    field: str
    create: bool | Mapping[str, Any] = False
    sparse: bool = False
    uuid: str | None = None
    mappings: dict[str, Any] | None = None
    may_ask: bool = True

    @property
    def path(self) -> str:
        """The index as a path."""
        return "/" + quote(self.name, safe="")

    async def find(self, taken: int) -> None:
        """See whether it is there. Raises SinkError where it is not, and must be: it took so many documents, or it may
        not be made; or where it is another one; ApiError.
        """
        self.mappings = await self._found()
        if self.mappings is not None:
            await self.check_same(taken)
        elif taken:
            raise self._gone(taken)
        elif not self.create:
            raise SinkError(f"there is no index {self.name}: create it, or let the sink do so with create=True")

    async def fit(self, dimension: int | None) -> None:
        """See that vectors fit, and create it where there is none. Raises SinkError where they do not, ApiError."""
        if self.mappings is None:
            await self._make(dimension)
            await self.check_same(0)
        for name, mappings in (self.mappings or {}).items():
            check_index(name, mappings, self.field, dimension, sparse=self.sparse)

    async def check_same(self, taken: int) -> None:
        """Raises SinkError where it is gone, or not the one that took so many documents; ApiError."""
        if not self.may_ask:
            return
        try:
            uuid = await self._uuid()
        except NotFound as error:
            raise self._gone(taken) from error
        except Forbidden as error:
            log.warning("it is not looked at whether index %s stays the same one: %s", self.name, error)
            self.may_ask = False
            return
        if self.uuid not in {None, uuid}:
            raise SinkError(
                f"index {self.name} was made anew, and what was written before is gone with the first one, of "
                f"{taken:,} documents; see to its mapping, and remove the checkpoint to begin anew"
            )
        self.uuid = uuid

    def _gone(self, taken: int) -> SinkError:
        return SinkError(f"index {self.name} is gone, and {taken:,} documents were written to it")

    async def reads_base64(self, wanted: bool | None) -> bool:
        """Whether vectors may be sent as base64; where that is not known, as numbers, which every server reads."""
        floats = all(holds_floats(mappings, self.field) for mappings in (self.mappings or {}).values())
        if self.sparse or not floats:
            return False
        if wanted is not None:
            return wanted
        version = await self.ml.version()
        return version is not None and version >= READS_BASE64

    async def _found(self) -> dict[str, Any] | None:
        """The mappings of the index, or of each one that an alias stands for."""
        try:
            got = await self.ml.request("GET", f"{self.path}/_mapping")
        except NotFound:
            return None
        return {name: index["mappings"] for name, index in got.json().items()}

    async def _make(self, dimension: int | None) -> None:
        given = self.create if isinstance(self.create, Mapping) else {}
        body = index_body(given, self.field, dimension)
        check_index(self.name, body["mappings"], self.field, dimension, sparse=self.sparse)
        try:
            await self.ml.request("PUT", self.path, body=body)
            self.mappings = {self.name: body["mappings"]}
        except BadRequest as error:
            if error.type != "resource_already_exists_exception":
                raise
            # Somebody else was quicker, or the first answer was lost.
            self.mappings = await self._found()

    async def _uuid(self) -> str:
        got = (await self.ml.request("GET", f"{self.path}/_settings")).json()
        written = next(iter(got)) if len(got) == 1 else await self._write_index()
        return str(got[written]["settings"]["index"]["uuid"])

    async def _write_index(self) -> str:
        """The index that takes what is written to an alias of several."""
        found: dict[str, Any] = (await self.ml.request("GET", f"{self.path}/_alias")).json()
        for index, known in found.items():
            if known["aliases"].get(self.name, {}).get("is_write_index"):
                return index
        raise SinkError(f"alias {self.name} stands for {', '.join(found)}, and none is its write index")
