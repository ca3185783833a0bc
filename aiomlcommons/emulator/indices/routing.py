"""The routing of documents: the values that they are written with, and that some mappings and aliases ask for."""

from __future__ import annotations

from typing import Any

from aiomlcommons.emulator.errors import illegal, refused
from aiomlcommons.emulator.indices.state import UserIndex

OF_ALIAS = (
    "Alias [{alias}] has index routing associated with it [{own}], and was provided with routing value [{given}], "
    "rejecting operation"
)


def routing_of(index: UserIndex, name: str, key: str | None, given: str | None) -> str | None:
    """Return the routing of a document that is read or written under the name of an index or an alias.

    Raises Refused for one that is not that of the alias, and where the mapping wants one and there is none.
    """
    own = index.aliases.get(name, {}).get("index_routing")
    if own is not None and given not in {None, own}:
        raise illegal(OF_ALIAS.format(alias=name, own=own, given=given))
    routing: str | None = given if own is None else own
    if routing is None and str(index.mappings.get("_routing", {}).get("required", False)).lower() == "true":
        where: dict[str, Any] = {"index": index.name, "index_uuid": "_na_"}
        reason = f"routing is required for [{index.name}]/[{key}]"
        raise refused(400, "routing_missing_exception", reason, **where)
    return routing
