"""Aliases: other names of indices, which can be moved from one to another in a single step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import KW_ONLY
from typing import Any, ClassVar, TypeAlias

from aiomlcommons.api import checks
from aiomlcommons.api.common import Acknowledged
from aiomlcommons.api.index_records import IndexAliases
from aiomlcommons.endpoint import Request, endpoint
from aiomlcommons.record import Tagged, in_query, record


@record
class AddAlias(Tagged):
    """Give an index another name: ``AddAlias("docs-2", "docs")``."""

    type: ClassVar[str] = "add"

    index: str | None = None
    alias: str | None = None
    indices: Sequence[str] | None = None
    aliases: Sequence[str] | None = None
    filter: Mapping[str, Any] | None = None
    routing: str | None = None
    index_routing: str | None = None
    search_routing: str | None = None
    is_write_index: bool | None = None
    is_hidden: bool | None = None


@record
class RemoveAlias(Tagged):
    """Take a name from an index: ``RemoveAlias("docs-1", "docs")``; ``must_exist`` makes a missing one an error."""

    type: ClassVar[str] = "remove"

    index: str | None = None
    alias: str | None = None
    indices: Sequence[str] | None = None
    aliases: Sequence[str] | None = None
    must_exist: bool | None = None


@record
class RemoveIndex(Tagged):
    """Delete an index in the same step, so that its name can become an alias."""

    type: ClassVar[str] = "remove_index"

    index: str | None = None
    indices: Sequence[str] | None = None


AliasAction: TypeAlias = AddAlias | RemoveAlias | RemoveIndex


@endpoint("GET /{index}/_alias", since="1.0", also=["GET /_alias", "GET /_alias/{name}", "GET /{index}/_alias/{name}"])
class GetAliases(Request[dict[str, IndexAliases]]):
    """Get the aliases of indices, by the names of the indices; of all of them, if neither is named.

    https://docs.opensearch.org/latest/api-reference/alias/
    """

    index: str | None = None
    _: KW_ONLY
    name: str | None = None
    ignore_unavailable: bool | None = in_query(default=None)
    allow_no_indices: bool | None = in_query(default=None)
    expand_wildcards: str | None = in_query(default=None)


@endpoint("POST /_aliases", since="1.0", repeatable=True)
class UpdateAliases(Request[Acknowledged]):
    """Add and remove aliases in one step: ``[RemoveAlias("docs-1", "docs"), AddAlias("docs-2", "docs")]``.

    https://docs.opensearch.org/latest/api-reference/alias/
    """

    actions: Sequence[AliasAction]
    _: KW_ONLY
    cluster_manager_timeout: str | None = in_query(default=None)
    timeout: str | None = in_query(default=None)

    def problems(self) -> Iterator[str]:
        yield from checks.not_empty(self, "actions")
        for number, one in enumerate(self.actions):
            if not one.index and not one.indices:
                yield f"actions[{number}].{one.type}: give index or indices"
            if not isinstance(one, RemoveIndex) and not one.alias and not one.aliases:
                yield f"actions[{number}].{one.type}: give alias or aliases"
