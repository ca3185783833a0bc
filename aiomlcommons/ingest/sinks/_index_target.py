"""The target index of an IndexSink: finding or creating it, checking its mapping, and checking that it stays the same.

The server creates a missing index on the first write, with a mapping of its own. So the UUID is compared, not the name.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from aiomlcommons.errors import ApiError, Forbidden, InvalidRequest, MLCommonsError, NotFound, NotSupported
from aiomlcommons.indices.creation import create_index, mappings_of
from aiomlcommons.indices.differences import check_field, unsearchable, unsuited
from aiomlcommons.indices.errors import IndexMismatch
from aiomlcommons.indices.mapping import holds_floats, index_body, searchable
from aiomlcommons.indices.plain_fields import KEYWORD
from aiomlcommons.indices.plugins import reads_base64
from aiomlcommons.indices.vector_field import Field, VectorField
from aiomlcommons.ingest.errors import SinkError
from aiomlcommons.wire.codec import quoted

if TYPE_CHECKING:
    from aiomlcommons.client import Client

log = logging.getLogger("aiomlcommons")
# Row numbers that are looked for: a server takes 65,536 terms at most.
NUMBERS = 1_000
# The most documents that a search returns, unless the index says otherwise.
LARGEST_PAGE = 10_000


@attrs.define
class Target:
    """An index by its name or alias. ``mappings`` are those of each index behind it, None if there is none.

    ``uuid`` is that of the write index; None while it is not known, or if the user has no permission to read it.
    ``vectors`` is what the field is to hold, but for the dimension, which only ``fit`` may know; ``served`` are the
    fields in its place where the server makes the vectors, by ``pipelines``, settings that must not change meanwhile.
    """

    ml: Client
    name: str
    field: str
    create: bool | Mapping[str, Any] = False
    vectors: VectorField = attrs.field(factory=VectorField)
    uuid: str | None = None
    mappings: dict[str, Mapping[str, Any]] | None = None
    may_ask: bool = True
    id_field: str | None = None
    served: Mapping[str, Field] | None = None
    pipelines: Sequence[str] = ()
    _had: Mapping[str, Any] | None = None

    @property
    def path(self) -> str:
        """The URL path of the index."""
        return "/" + quoted(self.name)

    async def find(self, taken: int) -> None:
        """Look the index up. ``taken`` is the number of documents that an earlier run wrote to it.

        Raises SinkError if it is missing and must exist (documents were written to it, or ``create`` is not set), or
        if it is not the one that was written to; ApiError.
        """
        self.mappings = await mappings_of(self.ml, self.name)
        if self.mappings is not None:
            await self.check_same(taken)
        elif taken:
            raise self._gone(taken)
        elif not self.create:
            raise SinkError(f"there is no index {self.name}: create it, or let the sink do so with create=True")

    async def identity(self) -> str:
        """Identify the index: its name and the UUID of its cluster, or the URL if the user may not read that."""
        try:
            cluster = (await self.ml.info()).cluster_uuid
        except (ApiError, NotSupported):
            cluster = self.ml.url
        return f"{cluster} {self.name}"

    async def check_numbers(self) -> None:
        """Raise InvalidRequest if a document has the number of one of the first rows as its id; ApiError."""
        # Those of the first chunks too, if rows are split.
        query = {"ids": {"values": [f"{number}{chunk}" for number in range(NUMBERS) for chunk in ("", "#0")]}}
        body = {"query": query, "size": 1, "_source": False}
        try:
            # Sees what the server has refreshed, as it does at the end of a job.
            response = await self.ml.request("GET", f"{self.path}/_search", body=body)
        except NotFound:
            return
        except Forbidden as error:
            log.warning("no permission to check whether index %s holds numbered rows already: %s", self.name, error)
            return
        for hit in response.json()["hits"]["hits"]:
            raise InvalidRequest(
                f"index {self.name} holds a document {hit['_id']} already, and numbered rows would replace it: name "
                "the field of the ids with id= (--id), let the server make them with ids='auto' (--ids auto), or "
                "replace the documents with overwrite=True (--overwrite)"
            )

    async def fit(self, dimension: int | None) -> None:
        """Create a missing index, and check the mapping. Raises SinkError if the vectors do not fit, ApiError."""
        await self.fit_all({self.field: attrs.evolve(self.vectors, dimension=dimension)})

    async def fit_all(self, fields: Mapping[str, Field]) -> None:
        """Do as ``fit`` for several fields, by their names."""
        if self.mappings is None:
            await self._make(fields)
            await self.check_same(0)
        for name, mappings in (self.mappings or {}).items():
            for field, wanted in fields.items():
                _check(name, mappings, field, wanted)
                if isinstance(wanted, VectorField) and (words := unsuited(name, mappings, field, wanted)):
                    log.warning("%s", words)

    async def layout(self) -> tuple[Mapping[str, Any], Mapping[str, Any] | None] | None:
        """Return mappings and settings of the index that is written to; None if there is none. Raises ApiError.

        The settings are None if the user has no permission to read them.
        """
        if (mappings := await mappings_of(self.ml, self.name)) is None:
            return None
        try:
            name, settings = await self.settings()
        except Forbidden as error:
            log.warning("no permission to read which pipelines index %s has: %s", self.name, error)
            return next(iter(mappings.values())), None
        return mappings[name], settings

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
        """Return whether to send vectors as base64: as ``wanted``, or if every node is known to read it."""
        floats = all(holds_floats(mappings, self.field) for mappings in (self.mappings or {}).values())
        if self.vectors.sparse or not floats:
            return False
        return bool(await reads_base64(self.ml)) if wanted is None else wanted

    async def refresh(self, ml: Client) -> None:
        """Have searches see the documents; a failure is a warning."""
        try:
            await ml.indices.refresh(self.name)
        except MLCommonsError as error:
            log.warning("index %s could not be refreshed, which the cluster does later: %s", self.name, error)

    async def settings(self) -> tuple[str, Mapping[str, Any]]:
        """Return the own name of the index that is written to, and its settings. Raises SinkError, ApiError."""
        indices = await self.ml.indices.settings(self.name)
        name = next(iter(indices)) if len(indices) == 1 else await self._write_index()
        return name, indices[name].settings["index"]

    async def _make(self, fields: Mapping[str, Field]) -> None:
        given = self.create if isinstance(self.create, Mapping) else {}
        ids: dict[str, Field] = {self.id_field: KEYWORD} if self.id_field else {}
        body = index_body(given, {**fields, **ids})
        for field, wanted in fields.items():
            _check(self.name, body["mappings"], field, wanted)
        try:
            made = await create_index(self.ml, self.name, body)
        except NotSupported as error:
            raise SinkError(f"index {self.name} cannot be created: {error}") from error
        self.mappings = {self.name: body["mappings"]} if made else await mappings_of(self.ml, self.name)

    async def _uuid(self) -> str | None:
        name, settings = await self.settings()
        for wanted in (self.vectors,) if self.served is None else self.served.values():
            if self.uuid is None and (words := unsearchable(name, settings, wanted)):
                log.warning("%s", words)
        self._check_pipelines(name, settings)
        uuid = settings.get("uuid")
        return None if uuid is None else str(uuid)

    def _check_pipelines(self, name: str, settings: Mapping[str, Any]) -> None:
        """Raise SinkError if the pipelines are others than before: documents may have been indexed without vectors."""
        has = {setting: settings.get(setting) for setting in self.pipelines}
        before, self._had = self._had or has, self._had or has
        for setting in [one for one in has if has[one] != before[one]]:
            raise SinkError(
                f"index {name}: its {setting} is {has[setting]} now, and was {before[setting]} when the job began, so "
                "that documents written since the last checkpoint may have no vectors: put it back, and resume"
            )

    async def _write_index(self) -> str:
        """Return the write index of an alias for several indices."""
        found = await self.ml.indices.aliases(self.name)
        for index, known in found.items():
            if self.name in known.aliases and known.aliases[self.name].is_write_index:
                return index
        raise SinkError(f"alias {self.name} stands for {', '.join(found)}, and none of them is its write index")


def _check(name: str, mappings: Mapping[str, Any], field: str, wanted: Field) -> None:
    try:
        check_field(name, mappings, field, wanted)
    except IndexMismatch as error:
        raise SinkError(str(error)) from None
