"""What is asked of a cluster before a re-embedding: the index, its alias, its size, the room that there is."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import attrs

from aiomlcommons.api.index_records import Alias
from aiomlcommons.errors import ApiError, Forbidden, MLCommonsError, NotFound
from aiomlcommons.reembedding.asking import count_of
from aiomlcommons.reembedding.errors import CannotReembed
from aiomlcommons.searching.fields import Field, fields_of
from aiomlcommons.spelling import did_you_mean
from aiomlcommons.wire.codec import quoted

if TYPE_CHECKING:
    from aiomlcommons.client import Client


@attrs.frozen(kw_only=True)
class IndexFacts:
    """What is known of an index.

    Attributes:
        name: Its own name.
        uuid: What tells it from a later one of this name.
        mappings: Its mapping.
        settings: Its settings, as the server shows them.
        aliases: Its aliases by name.
        documents: How many documents it has.
        size: The bytes of its primary shards; None if that is hidden.
        health: ``green``, ``yellow`` or ``red``; None if that is hidden.
        is_open: Whether it can be searched.
        streams: Whether it belongs to a data stream.
    """

    name: str
    uuid: str
    mappings: Mapping[str, Any]
    settings: Mapping[str, Any]
    aliases: Mapping[str, Alias]
    documents: int
    size: int | None = None
    health: str | None = None
    is_open: bool = True
    streams: bool = False

    @property
    def fields(self) -> dict[str, Field]:
        """The fields by name."""
        return fields_of(self.mappings)

    @property
    def vectors(self) -> dict[str, Field]:
        """The fields of vectors by name."""
        return {name: field for name, field in self.fields.items() if field.holds_vectors}

    @property
    def replicas(self) -> int:
        """The copies of each shard beside its primary; some indices have as many as there are nodes for."""
        return int(self.settings.get("number_of_replicas", 1))

    def left_behind(self, alias: str | None) -> tuple[str, ...]:
        """Return in words which other aliases go on leading to it when one of them is switched."""
        others = sorted(self.aliases.keys() - {alias})
        if alias is None or not others:
            return ()
        return (f"the aliases {', '.join(others)} go on leading to {self.name}: only {alias} is switched",)

    def is_set(self, name: str) -> bool:
        """Return whether a setting, such as ``blocks.write``, is true."""
        found: Any = self.settings
        for part in name.split("."):
            found = found.get(part) if isinstance(found, Mapping) else None
        return str(found).lower() == "true"


async def index_facts(ml: Client, name: str) -> IndexFacts | None:
    """Return what is known of an index; None if there is none. Raises CannotReembed for an alias, ApiError."""
    try:
        found = await ml.indices.get(name)
        if name not in found:
            raise CannotReembed(
                f"{name!r} is an alias, of {' and '.join(sorted(found))}: give the index itself as index=, and the "
                "alias as alias="
            )
        row = await _row(ml, name)
        is_open = row.get("status") != "close"
        documents = await count_of(ml, name) if is_open else 0
    except NotFound:
        return None
    except Forbidden as error:
        raise _blocked(name, error) or error from error
    index = found[name]
    return IndexFacts(
        name=name,
        uuid=str(index.settings["index"].get("uuid", "")),
        mappings=index.mappings,
        settings=index.settings["index"],
        aliases=index.aliases,
        documents=documents,
        size=_bytes(row.get("pri.store.size")),
        health=row.get("health"),
        is_open=is_open,
        streams=index.data_stream is not None or name.startswith(".ds-"),
    )


# What a server says of a block that keeps it from telling the settings, by the setting.
_BLOCKS = {"blocks.metadata": "index metadata (api)", "blocks.read": "index read (api)"}


def _blocked(index: str, error: Forbidden) -> CannotReembed | None:
    block = next((block for block, words in _BLOCKS.items() if words in error.reason), None)
    return None if block is None else CannotReembed(f"index {index} must not be read: {unset(index, block)}")


def unset(index: str, block: str) -> str:
    """Return what ends a block of an index, in words."""
    return f'`await ml.indices.put_settings("{index}", {{"index.{block}": None}})` ends that'


async def no_such_index(ml: Client, name: str) -> CannotReembed:
    """Return the error for an index that there is not."""
    known: list[str] = []
    with suppress(MLCommonsError):  # the suggestion must not hide what it is about
        known = [own for own in await ml.indices.aliases() if not own.startswith(".")]
    return CannotReembed(f"there is no index {name!r}; {did_you_mean(name, known, 'give the one to re-embed')}")


async def _row(ml: Client, name: str) -> Mapping[str, str]:
    """Return the row of an index in ``_cat/indices``; empty if it is hidden."""
    query = {"format": "json", "bytes": "b", "h": "health,status,pri.store.size"}
    try:
        rows = (await ml.request("GET", f"/_cat/indices/{quoted(name)}", query=query)).json()
    except ApiError:  # it says how large it is, and no more
        return {}
    return rows[0] if rows else {}


def _bytes(text: str | None) -> int | None:
    return int(text.removesuffix("b")) if text and text.removesuffix("b").isdecimal() else None


async def where_leads(ml: Client, alias: str) -> dict[str, Alias]:
    """Return the indices that an alias leads to, each with what the alias has there. Raises ApiError, ConnectError."""
    try:
        # Asked of itself: the question of all indices is for those who may read all of them.
        found = await ml.indices.aliases(alias, name=alias)
    except NotFound:
        return {}
    return {index: one.aliases[alias] for index, one in found.items() if alias in one.aliases}


@attrs.frozen
class Disks:
    """The bytes of all data nodes: those that are free, and all of them."""

    free: int
    total: int


async def disks(ml: Client) -> Disks | None:
    """Return the room of the cluster; None if it is hidden."""
    try:
        answer = (await ml.request("GET", "/_nodes/stats/fs")).json()
    except (ApiError, Forbidden):
        return None
    nodes = [node for node in answer.get("nodes", {}).values() if "data" in node.get("roles", ["data"])]
    totals = [total for node in nodes if (total := (node.get("fs") or {}).get("total"))]
    if not totals:
        return None
    return Disks(*(sum(int(one.get(name, 0)) for one in totals) for name in ("available_in_bytes", "total_in_bytes")))


async def cluster_blocks(ml: Client) -> str | None:
    """Return the setting of the cluster that makes every index read-only; None if there is none, or it is hidden."""
    try:
        answer = (await ml.request("GET", "/_cluster/settings", query={"flat_settings": "true"})).json()
    except ApiError:
        return None
    for name in ("cluster.blocks.read_only", "cluster.blocks.read_only_allow_delete"):
        if any(str((answer.get(kind) or {}).get(name)).lower() == "true" for kind in ("transient", "persistent")):
            return name
    return None
